"""What was found of a function: the values of its nodes, and their faults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from blox.schema.expressions import ExpressionError
from blox.schema.resolve.program import Instance, Step

from .control.base import Control, Outputs
from .faults import Fault
from .values import Value

Env = dict[str, tuple[Value | None, ...]]
"""Outputs of inputs and nodes by name; None for what is absent."""


@dataclass(frozen=True, slots=True)
class Runs:
    """How a node runs one of its functions.

    `times` is how often each call of it runs, None where that is not known. `calls` has
    one of each copy that is a call, where the last stands for those that are like it.
    """

    times: Any
    copies: int
    calls: tuple[Inferred, ...]


@dataclass(eq=False, slots=True)
class Inferred:
    """A function of a model for what flows into it.

    `values` has the outputs of every input and node by name, `findings` by node the
    faults of its own and the functions that have some, in order. `costs` has what nodes
    cost, where that is counted, `runs` how nodes run functions.
    """

    instance: Instance
    values: Env
    outputs: Outputs = ()
    findings: list[tuple[str, Fault | Inferred]] = field(default_factory=list)
    costs: dict[str, Any] = field(default_factory=dict)
    runs: dict[str, list[Runs]] = field(default_factory=dict)

    def found(
        self, path: str, seen: set[int] | None = None
    ) -> Iterator[tuple[tuple[Any, ...], str, Fault]]:
        """(key, path, fault) of every fault, each function at the first of its paths."""
        seen = set() if seen is None else seen
        if id(self) in seen:
            return
        seen.add(id(self))
        for name, found in self.findings:
            if isinstance(found, Inferred):
                yield from found.found(f"{path}.{name}", seen)
                continue
            where = ".".join(part for part in (path, name, found.field) if part)
            yield (id(self.instance), name, found.code, found.field), where, found


def runs_of(
    step: Step, control: Control[Any], ran: Mapping[int, Inferred]
) -> list[Runs]:
    """How a node runs each of its functions.

    Args:
        step: the node.
        control: the same, its rule through.
        ran: what was inferred last of each of its calls, by number.
    """
    found = []
    first = 0
    for called in step.callees:
        end = first + called.copies
        calls = tuple(ran[i] for i in range(first, end) if i in ran)
        times = 1 if called.declared.unrolled else _times(control, called.declared.runs)
        found.append(Runs(times, called.copies, calls))
        first = end
    return found


def _times(control: Control[Any], runs: int | str | None) -> Any:
    if runs is None:
        return control.slices
    try:
        return control.size(runs)
    except ExpressionError:
        return None
