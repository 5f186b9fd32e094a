"""What was found of a function: the values of its nodes, and their faults."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from blox.schema.resolve.program import Instance

from .control.base import Outputs
from .faults import Fault
from .values import Value

Env = dict[str, tuple[Value | None, ...]]
"""Outputs of inputs and nodes by name; None for what is absent."""


@dataclass(eq=False, slots=True)
class Inferred:
    """A function of a model for what flows into it.

    `values` has the outputs of every input and node by name, `findings` by node the
    faults of its own and the functions that have some, in order.
    """

    instance: Instance
    values: Env
    outputs: Outputs = ()
    findings: list[tuple[str, Fault | Inferred]] = field(default_factory=list)

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
