"""Functions of a Graph whose inputs a family decides on."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from blox.builder.function import F
    from blox.builder.values import Value


def named(name: str, function: Callable[..., Any], **given: Value) -> Any:
    """A function of a Graph, whose inputs are x and those that are `given`."""
    return _with_inputs(name, function, ("x", *given), inspect.Parameter.empty)


def entry(name: str, function: Callable[..., Any], inputs: Iterable[str]) -> Any:
    """An entry of a Graph with these inputs, of which the first has to be given."""
    return _with_inputs(name, function, tuple(inputs), None)


def without(function: Callable[..., Any], name: str) -> Any:
    """The same function, to which an optional input is never given."""
    signature = inspect.signature(function)
    rest = [p for p in signature.parameters.values() if p.name != name]

    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    call.__name__, call.__doc__ = function.__name__, function.__doc__
    call.__signature__ = signature.replace(parameters=rest)  # type: ignore[attr-defined]
    return call


def _with_inputs(
    name: str, function: Callable[..., Any], names: tuple[str, ...], default: Any
) -> Any:
    def call(f: F, *args: Value, **kwargs: Value) -> Any:
        return function(f, **dict(zip(names, args, strict=False)), **kwargs)

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    first = [inspect.Parameter(n, kind) for n in ("f", *names[:1])]
    rest = [inspect.Parameter(n, kind, default=default) for n in names[1:]]
    call.__name__, call.__doc__ = name, function.__doc__
    call.__signature__ = inspect.Signature([*first, *rest])  # type: ignore[attr-defined]
    return call
