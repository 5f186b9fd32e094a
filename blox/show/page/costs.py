"""The FLOPs of every function and node of a model, whichever call runs it."""

from __future__ import annotations

from collections.abc import Iterable

from blox.schema.resolve.program import Instance, Program
from blox.show.count import Count
from blox.show.flops import Cost, Measured

DIFFERENT = "differs between calls"


class Costs:
    """Texts of the FLOPs of one run, such as `295k*batch*seq`.

    Args:
        program: of the Graph.
        measured: what its entries cost.
    """

    def __init__(self, program: Program, measured: Measured) -> None:
        self._found: dict[Instance, dict[int, Cost]] = {}
        for name, instance in program.entries.items():
            self._visit(instance, measured.entries[name])

    def _visit(self, instance: Instance, cost: Cost) -> None:
        known = self._found.setdefault(instance, {})
        if id(cost) in known:
            return
        known[id(cost)] = cost
        for step in instance.live_steps:
            if step.name not in cost.nodes:
                continue
            runs = cost.nodes[step.name].called
            for called, ran in zip(step.callees, runs, strict=True):
                for i, inner in enumerate(ran.calls):
                    self._visit(called.copy(i), inner)

    def function(self, instance: Instance) -> str:
        """Of one call of a function; empty where no entry runs it."""
        return _text(cost.flops for cost in self._found.get(instance, {}).values())

    def node(self, instance: Instance, name: str) -> str:
        """Of one run of a node, with all that it runs itself; empty where it has none."""
        costs = self._found.get(instance, {}).values()
        return _text(c.nodes[name].flops for c in costs if name in c.nodes)


def _text(counts: Iterable[Count]) -> str:
    texts = {str(count): count.short() for count in counts if count}
    return next(iter(texts.values()), "") if len(texts) < 2 else DIFFERENT
