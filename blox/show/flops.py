"""The FLOPs of a model by node, counted from its shapes, and these shapes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from blox.schema import Graph, ModelError, Report
from blox.schema.diagnostics import Diagnostic, listing, quote
from blox.schema.dtypes import NEEDS_X64
from blox.schema.frozen import EMPTY
from blox.schema.known import Table
from blox.schema.op import ScopeOp
from blox.schema.resolve.bounds import Limits
from blox.schema.resolve.program import Program, Step
from blox.shapes.check import Checker, tracing
from blox.shapes.declared import Declared
from blox.shapes.inferred import Inferred, Runs
from blox.shapes.kinds import Lane
from blox.shapes.table import tabled
from blox.show.count import UNKNOWN, ZERO, Count, largest, total
from blox.show.equations import Equations

MAX_SIZE = 2**31 - 1
"""Of a dim that is given."""


@dataclass(frozen=True, eq=False, slots=True)
class Called:
    """What a function costs that a node runs.

    Attributes:
        flops: of one run of the node.
        times: how often each call of it runs.
        calls: one, or where copies are listed one of each; the last stands for all that
            follow it. Empty where nothing runs.
    """

    flops: Count
    times: Count
    calls: tuple[Cost, ...]

    def copy(self, i: int) -> Cost:
        """A listed copy, once."""
        return self.calls[min(i, len(self.calls) - 1)] if self.calls else NOTHING

    def copies(self, first: int, last: int) -> Count:
        """Listed copies from `first` to `last`."""
        end = min(last + 1, len(self.calls))
        flops = total(cost.flops for cost in self.calls[first:end])
        rest = last + 1 - max(first, end)
        return flops + self.copy(last).flops * Count.of(rest)


@dataclass(frozen=True, eq=False, slots=True)
class NodeCost:
    """What a node costs: in one run of its function, and in those that it runs itself.

    Attributes:
        flops: of one run.
        called: one for each of the `callees` of the step, in their order.
    """

    flops: Count = ZERO
    called: tuple[Called, ...] = ()

    def callee(self, i: int) -> Called:
        """The function of a number; what costs nothing where the node doesn't run."""
        return self.called[i] if self.called else Called(ZERO, ZERO, ())


@dataclass(frozen=True, eq=False, slots=True)
class Cost:
    """What a function costs for what flows into it; calls that are alike share one.

    Attributes:
        flops: of one run.
        nodes: by name. Nodes whose outputs nobody uses don't run, and cost nothing.
    """

    flops: Count
    nodes: Mapping[str, NodeCost]

    def node(self, name: str) -> NodeCost:
        """A node; what costs nothing where it doesn't run."""
        return self.nodes.get(name) or NodeCost()


NOTHING = Cost(ZERO, {})


@dataclass(frozen=True, eq=False, slots=True)
class Measured:
    """What `measure` finds: the shapes of every node, and what each entry costs."""

    shapes: Table
    entries: Mapping[str, Cost]


def measure(
    graph: Graph, dims: Mapping[str, int] = EMPTY, *, floats: str = "float32"
) -> Measured:
    """Shapes and FLOPs of every node that entries run.

    A call is not in training and has all optional inputs but keys: nothing is dropped out.
    Sizes are those of `dims`, and symbolic where that has none: then FLOPs are a
    polynomial of them. The model's floating type is `floats`.

    Raises:
        SpecError: the Graph is not sound.
        ModelError: dims that no entry has, or that are out of bounds.
    """
    program = graph.program()
    _check(program, dims)
    checker = Checker(program, Report())
    equations = Equations(checker.symbols)
    checker.engine.ops.inference.cost = equations
    wide = jax.enable_x64(True) if floats in NEEDS_X64 else nullcontext()
    with wide, tracing(program):
        found = checker.infer(Lane(dtype=jnp.dtype(floats)), keys=False, dims=dims)
    costs = _Costs(equations)
    unknown = Cost(UNKNOWN, {})
    entries = {
        name: costs.of(found[name]) if name in found else unknown
        for name in program.entries
    }
    return Measured(tabled(checker.engine.all_inferred(), checker.symbols), entries)


class _Costs:
    """Adds up what was inferred, each function once for what flows into it."""

    def __init__(self, equations: Equations) -> None:
        self._equations = equations
        self._found: dict[int, Cost] = {}

    def of(self, inferred: Inferred) -> Cost:
        found = self._found.get(id(inferred))
        if found is None:
            steps = inferred.instance.live_steps
            nodes = {step.name: self._node(inferred, step) for step in steps}
            flops = total(node.flops for node in nodes.values())
            found = self._found[id(inferred)] = Cost(flops, nodes)
        return found

    def _node(self, inferred: Inferred, step: Step) -> NodeCost:
        if not isinstance(step.op, ScopeOp):
            return NodeCost(inferred.costs.get(step.name, UNKNOWN))
        called = tuple(map(self._called, inferred.runs[step.name]))
        flops = [part.flops for part in called]
        one = all(c.declared.returns == "the same" for c in step.callees)
        return NodeCost(largest(flops) if one else total(flops), called)

    def _called(self, runs: Runs) -> Called:
        times = UNKNOWN if runs.times is None else self._equations.size(runs.times)
        calls = tuple(map(self.of, runs.calls))
        every = Called(ZERO, times, calls).copies(0, runs.copies - 1)
        if runs.copies and not calls:
            every = UNKNOWN
        return Called(every * times, times, calls)


def _check(program: Program, dims: Mapping[str, int]) -> None:
    known: dict[str, None] = {}
    for instance in program.entries.values():
        declared = Declared(instance.function.inputs, instance.values)
        known.update(dict.fromkeys(declared.dims(declared.inputs)))
    faults = list(_faults(program, dims, known))
    if faults:
        raise ModelError(faults)


def _faults(
    program: Program, dims: Mapping[str, int], known: Mapping[str, None]
) -> Iterator[Diagnostic]:
    for name, size in dims.items():
        if name not in known:
            text = f"expected a dim of the entries, found {quote(name)}"
            yield Diagnostic("dims", "", text, f"there are: {listing(known)}")
        elif type(size) is not int or not 0 <= size <= MAX_SIZE:
            text = f"expected an integer from 0 to {MAX_SIZE}, found {quote(size)}"
            yield Diagnostic("dims", name, text)
    graph = program.graph
    sizes = {n: s for n, s in dims.items() if type(s) is int}
    yield from Limits(graph, sizes).broken(sizes, {**graph.attributes, **sizes})
