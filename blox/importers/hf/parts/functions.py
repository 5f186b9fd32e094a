"""Functions of a Graph whose inputs a family decides on."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from blox.builder.function import F
    from blox.builder.values import Value


def named(name: str, function: Callable[..., Any], **given: Value) -> Any:
    """A function of a Graph, whose inputs are x and those that are `given`."""

    names = ("x", *given)

    def call(f: F, *args: Value, **kwargs: Value) -> Any:
        return function(f, **dict(zip(names, args, strict=False)), **kwargs)

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    call.__name__ = name
    call.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(n, kind) for n in ("f", *names)]
    )
    return call


def without(function: Callable[..., Any], name: str) -> Any:
    """The same function, to which an optional input is never given."""
    signature = inspect.signature(function)
    rest = [p for p in signature.parameters.values() if p.name != name]

    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    call.__name__, call.__doc__ = function.__name__, function.__doc__
    call.__signature__ = signature.replace(parameters=rest)  # type: ignore[attr-defined]
    return call
