"""What a loop carries from step to step, by what its function returns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .arguments import Bound, Each, Index, Slices
from .literals import is_literal
from .outputs import SINGLE
from .trace import Trace
from .values import Outputs, Value

LOOPS = ("repeat", "scan", "while_loop")


def starts(bound: Bound, body: Trace) -> list[str]:
    """The arguments that are literals which the function gives the next one of."""
    names = list(body.outputs)
    if isinstance(body.result, Value) or is_literal(body.result):
        names = list(bound.arguments)[:1]
    return [
        n for n in names if n not in bound.flows and is_literal(bound.arguments.get(n))
    ]


def carried(
    trace: Trace, node: str, key: str, flows: Mapping[str, Any], body: Trace
) -> tuple[list[str], list[str]]:
    """The inputs that are carried, and the names of the node's outputs.

    An output named as an argument is the next one of that; a bare one that of the first,
    and so is the one output of a function of another Graph, where it has another name.
    One named as an argument that is an array of a list is the next one in a list.

    Args:
        flows: what flows in, by input name.
        body: a run of the function.

    Raises:
        SpecError: an input that isn't carried is returned under its own name.
    """
    names = list(body.outputs)
    alone = isinstance(body.result, Outputs) and len(names) == 1
    own = [n for n, v in flows.items() if isinstance(v, (Slices, Each, Index))]
    lists = [n for n, v in flows.items() if isinstance(v, Slices) and v.of_list]
    if key == "associative_scan":
        return [], _elements(trace, node, body, own)
    if key not in LOOPS:
        if key == "map" and alone and names[0] in flows:
            names = [SINGLE]
        if key == "map":
            _check_names(trace, node, body, names, list(flows))
        return [], names
    if type(body.result) in (tuple, list) and len(flows) > len(own):
        trace.fault(
            node,
            f"expected {body.name} to return what it gives by name, found a "
            f"{type(body.result).__name__}, which does not say what is carried on",
            f'return {{"{next(n for n in flows if n not in own)}": ..., "y": ...}}: an '
            "output named as an argument is its next value, others are stacked",
        )
    first = next(iter(flows), None)
    bare = isinstance(body.result, Value) or (alone and names[0] not in flows)
    if bare and first is not None and first not in own:
        names = [first]
    carry = [n for n in names if n in flows and n not in own]
    lost = [n for n in names if n not in carry]
    if key == "while_loop" and lost:
        trace.fault(
            node,
            f"expected {body.name} to return its next arguments by name "
            f"({', '.join(flows)}), found {lost[0]}",
        )
    _check_names(trace, node, body, names, [n for n in own if n not in lists])
    return carry, names


def _elements(trace: Trace, node: str, body: Trace, own: list[str]) -> list[str]:
    """The names of the elements that a function of two of them gives."""
    names, wanted = list(body.outputs), own[: len(own) // 2]
    if set(names) == set(wanted) or (len(names) == len(wanted) == 1):
        return names if len(names) > 1 else wanted
    trace.fault(
        node,
        f"expected {body.name} to return an element by name ({', '.join(wanted)}), found "
        f"{', '.join(names)}",
    )


def _check_names(
    trace: Trace, node: str, body: Trace, names: list[str], uncarried: list[str]
) -> None:
    for name in names:
        if name in uncarried:
            trace.fault(
                f"{node}.{name}",
                f"expected another name for the output {name} of {body.name}, which is "
                "an input that isn't carried",
                'return it as {"y": ...}',
            )
