"""Arguments that are another one for each copy, and functions that get the same."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from .arguments import Bound, Each, Flow, Slices
from .literals import is_literal
from .sizes import plain
from .trace import Trace
from .values import Value


def check_inputs(trace: Trace, node: str, every: Sequence[Bound]) -> None:
    """Refuses functions of one node whose inputs have other names."""
    wanted = set(every[-1].flows)
    for bound in every[:-1]:
        if set(bound.flows) != wanted:
            first, other = (", ".join(b.flows) or "none" for b in (every[-1], bound))
            trace.fault(
                node,
                f"expected functions with inputs of the same names, found {other} "
                f"beside {first}",
            )


def check_lists(
    trace: Trace, node: str, key: str, bound: Bound, options: dict[str, Any]
) -> int:
    """How many copies differ by `bx.each`: 1 where none do.

    A list under `scan` is a slice for each step, which flows; so is one for what a
    function of another Graph declares as an input.
    """
    lists = [(n, v) for n, v in bound.arguments.items() if isinstance(v, Each)]
    listed = options.get("scan") is False
    inputs = trace.session.declared.get(bound.function, {})
    differ = [len(v.items) for n, v in lists if listed and n not in inputs]
    for name, given in lists:
        where = f"{node}.{name}"
        if key != "repeat":
            trace.fault(where, "expected bx.each in a repeat, found it here")
        if not given.items:
            trace.fault(where, "expected a value for each copy, found none")
        if not listed or name in inputs:
            bound.flows[name] = _scanned(trace, where, given, options["count"])
            bound.arguments[name] = Flow(name)
    return math.lcm(*differ)


def lists_in(flows: Mapping[str, Any]) -> list[str]:
    """The inputs that get the arrays of a list, one after another."""
    return [n for n, v in flows.items() if isinstance(v, Slices) and v.of_list]


def settle_lists(
    trace: Trace,
    node: str,
    key: str,
    groups: Mapping[str, Mapping[str, Any]],
    options: dict[str, Any],
    names: Sequence[str],
) -> None:
    """Refuses lists where they can't go, and says which outputs of a `repeat` are some.

    Args:
        key: the op.
        groups: what flows in, by field of the node and input.
        options: of the node; `listed` gets the next ones of what goes through a list.
        names: of its outputs.
    """
    lists = {
        field: [n for n, v in groups.get(field, {}).items() if _is_list(v)]
        for field in ("carry", "xs")
    }
    for name in lists["carry"]:
        trace.fault(
            f"{node}.{name}",
            f"expected an array that is carried, found the list {name}",
            f"bx.slices({name}) gives one array to each copy; return what stays by another "
            "name",
        )
    for name in lists["xs"] if options.get("scan") is not False else ():
        trace.fault(
            f"{node}.{name}",
            "expected slices of an array, found those of a list",
            "f.repeat with scan=False goes through a list",
        )
    if key == "repeat":
        listed = [*options.get("listed", ()), *(n for n in names if n in lists["xs"])]
        options["listed"] = [*dict.fromkeys(listed)]


def _is_list(value: Any) -> bool:
    return isinstance(value, Value) and value.kind == "list"


def _scanned(trace: Trace, where: str, given: Each, count: Any) -> Each:
    """The numbers of a list that one `lax.scan` gets, one for each step."""
    numbers = [trace.number(where, v) for v in given.items]
    booleans = all(isinstance(n, bool) for n in numbers)
    if not booleans and not all(is_literal(n) and type(n) is not bool for n in numbers):
        trace.fault(
            where,
            "expected numbers, or booleans, for copies that one lax.scan runs, found others",
            "scan=False runs copies that differ one after another",
        )
    steps = plain(count)
    if type(steps) is int:
        times, rest = divmod(steps, len(numbers))
        if rest:
            trace.fault(
                where,
                f"expected numbers that go into {steps} copies, found {len(numbers)}",
            )
        numbers = numbers * times
    return Each(tuple(numbers))
