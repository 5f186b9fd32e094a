"""Python functions that can be functions of a Graph."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable
from functools import lru_cache, partial
from typing import Any

from blox.schema import Graph
from blox.schema.diagnostics import quote
from blox.schema.names import is_name

from .trace import Trace


@lru_cache(maxsize=512)
def signature_of(function: Callable[..., Any]) -> inspect.Signature:
    return inspect.signature(function)


def check_function(trace: Trace, where: str, function: Any) -> None:
    """Refuses what can't be a function of a Graph."""
    wrong = _wrong(function) if isinstance(function, Hashable) else _no_name(function)
    if wrong is not None:
        trace.fault(where, *wrong, code="builder-function")


@lru_cache(maxsize=512)
def _wrong(function: Any) -> tuple[str, str] | None:
    """What is wrong with a function and what to do, None where nothing is."""
    name = getattr(function, "__name__", None)
    if not callable(function) or not isinstance(name, str) or not is_name(name):
        return _no_name(function)
    kind = getattr(getattr(function, "__code__", None), "co_flags", 0)
    if kind & (
        inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
    ):
        return (
            f"expected a plain function, found {name}, which yields or awaits",
            "write it with def and return",
        )
    parameters = list(signature_of(function).parameters.values())
    if not parameters:
        return (
            f"expected a first parameter f of {name}, found none",
            "it gets the builder",
        )
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            return (
                f"expected named parameters of {name} only, found "
                f"{parameter.replace(annotation=parameter.empty)}",
                "its inputs have names in the Graph",
            )
    return None


def _no_name(function: Any) -> tuple[str, str]:
    found = quote(getattr(function, "__name__", type(function).__name__))
    hint = "write it with def; names have letters, digits and inner underscores"
    if isinstance(function, partial):
        hint = "give it the function, and the arguments at the call"
    elif isinstance(function, Graph):
        hint = "base = b.include(graph) has functions to call, such as base.main"
    else:
        hint = getattr(type(function), "INSTEAD", hint)
    return f"expected a Python function with a name of its own, found {found}", hint


def shown(function: Callable[..., Any]) -> str:
    """`block(f, x, *, heads)`: a function without its types."""
    signature = signature_of(function)
    plain = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    bare = signature.replace(parameters=plain, return_annotation=signature.empty)
    return f"{function.__name__}{bare}"
