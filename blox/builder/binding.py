"""The arguments of all functions that a node runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .arguments import Bound, bind
from .copies import check_inputs
from .python_function import check_function, signature_of
from .trace import Trace


def bind_all(
    trace: Trace,
    node: str,
    op: str,
    functions: Mapping[str, Callable[..., Any]],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
) -> list[Bound]:
    """The arguments of each function of a node: all of them, or those that it names.

    Raises:
        SpecError: a function lacks some, or no function takes one.
    """
    if op == "while_loop":
        return _named(trace, node, [*functions.values()], args, kwargs)
    bound = [bind(trace, node, f, args, kwargs) for f in functions.values()]
    check_inputs(trace, node, bound)
    return bound


def _named(
    trace: Trace,
    where: str,
    functions: Sequence[Callable[..., Any]],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
) -> list[Bound]:
    """The arguments of several functions, each of which gets those that it names.

    Arguments by position are those of the last one; by name they may be of any.

    Raises:
        SpecError: a function lacks some, or no function takes one.
    """
    *others, last = functions
    for function in functions:
        check_function(trace, where, function)
    own = signature_of(last).parameters
    every = [signature_of(function).parameters for function in others]
    named = {
        n: v for n, v in kwargs.items() if n in own or not any(n in p for p in every)
    }
    found = bind(trace, where, last, args, named)
    given = dict(signature_of(last).bind(None, *args, **named).arguments) | dict(kwargs)
    del given[next(iter(own))]
    return [
        *(
            bind(
                trace, where, f, (), {n: v for n, v in given.items() if n in parameters}
            )
            for f, parameters in zip(others, every, strict=True)
        ),
        found,
    ]


def flows_of(every: Sequence[Bound]) -> dict[str, Any]:
    """What flows into any of the functions, by input name; the last one's come first."""
    return {n: v for bound in reversed(every) for n, v in bound.flows.items()}


def paired(xs: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Of elements that are given twice: those of the first half, and by their names the
    inputs of the second half."""
    names = list(xs)
    left, right = names[: len(names) // 2], names[len(names) // 2 :]
    return {n: xs[n] for n in left}, dict(zip(left, right, strict=True))
