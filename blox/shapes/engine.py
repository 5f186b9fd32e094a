"""The shapes and dtypes of every node of a Program, inferred node by node.

Everything is remembered: an op by its attributes and what flows in, a function by its
instance, the sizes of its arrays and what flows in. So layers that repeat cost one look-up
a node. A fault is kept beside the node that has it, and inference goes on behind it with
what is still known.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from blox.schema.content import Output
from blox.schema.expressions import ExpressionError, names
from blox.schema.op import ScopeOp
from blox.schema.parameters import Leaf
from blox.schema.resolve.bounds import Limits
from blox.schema.resolve.program import Arg, Instance, Step, flat

from .binding import bound, number_value
from .control import rule
from .control.base import Control, Inputs, Outputs
from .faults import Fault
from .inferred import Env, Inferred, runs_of
from .kinds import Kind, Lane
from .op_engine import OpEngine
from .places import Place, Places, inside
from .promised import broken, promises
from .symbolic import value_of
from .values import Value


@dataclass(eq=False, slots=True)
class _Node:
    """A step, ready to be looked up."""

    step: Step
    kind: Kind | None
    sources: tuple[tuple[str, int], ...]
    names: tuple[str, ...]
    trains: bool
    callees: list[Place]
    """One for each call that it makes."""


@dataclass(eq=False, slots=True)
class _Plan:
    nodes: list[_Node]
    dims: bool
    trains: bool
    promised: Mapping[int, tuple[str, Output]]


class Engine:
    """Infers instances of a Program, in as many lanes as needed.

    Args:
        ops: infers the nodes that run no functions.
        entries: the entries of the Program, whose dims are held to the Graph's bounds
            and constraints where a node calls them too.
    """

    def __init__(self, ops: OpEngine, entries: Mapping[Instance, Limits]) -> None:
        self.ops, self._entries = ops, entries
        self.symbols, self.values = ops.symbols, ops.values
        self.places = Places()
        self._plans: dict[Place, _Plan] = {}
        self._calls: dict[Any, Inferred] = {}

    def inferred(self, place: Place, inputs: Inputs, lane: Lane) -> Inferred:
        """A function for what flows into it; remembered."""
        plan = self._plans.get(place)
        if plan is None:
            plan = self._plans[place] = self._compiled(place)
        known = place.instance.function.inputs
        given = tuple((n, v) for n, v in inputs.items() if v is not None and n in known)
        train = lane.train if plan.trains else None
        key = (place, given, train, lane.dtype)
        found = self._calls.get(key)
        if found is None:
            found = self._inferred(place.instance, plan, dict(given), lane)
            self._calls[key] = found
        return found

    def all_inferred(self) -> Collection[Inferred]:
        """Every function that was inferred, once for each of what flowed in."""
        return self._calls.values()

    def _compiled(self, place: Place) -> _Plan:
        instance = place.instance
        nodes = [self._node(place, step) for step in instance.steps]
        dims = any(node.names for node in nodes) or any(
            given.shape for given in instance.function.inputs.values()
        )
        trains = any(node.trains for node in nodes)
        return _Plan(nodes, dims, trains, promises(instance))

    def _node(self, place: Place, step: Step) -> _Node:
        if isinstance(step.op, ScopeOp):
            used = {n for _, text in step.op.expressions() for n in names(text)}
            callees = self.places.callees(place, step)
            return _Node(step, None, (), tuple(used), step.uses_train, callees)
        there: Any = inside(place.tree, step.scope)
        own = step.tree
        leaves: Any = there if isinstance(own, Leaf) else {n: there[n] for n in own}
        kind = self.ops.kind(step.op, step.args, leaves)
        sources = tuple(
            (a.source, a.output) for a in flat(step.args) if a.source is not None
        )
        return _Node(step, kind, sources, kind.names, step.op.TRAIN, [])

    def _inferred(
        self, instance: Instance, plan: _Plan, inputs: dict[str, Value], lane: Lane
    ) -> Inferred:
        self.ops.inference.spend(1 + len(plan.nodes) / 20 + len(plan.promised))
        env: Env = {name: (value,) for name, value in inputs.items()}
        made = Inferred(instance, env)
        sizes: Mapping[str, Any] = instance.values
        wrong: list[Fault] = []
        if plan.dims:
            sizes, wrong = bound(instance.function.inputs, sizes, inputs, self.symbols)
            made.findings += [("", fault) for fault in wrong]
            made.findings += [("", fault) for fault in self._bounds(instance, sizes)]
        for name in instance.float_inputs() if instance in self._entries else ():
            if name in env:
                env[name] = (self._cast(inputs[name], lane.dtype),)
        for node in plan.nodes:
            kind, step = node.kind, node.step
            if kind is None:
                env[step.name] = self._control(made, node, env, sizes, lane)
                continue
            given = tuple([env[s][i] if s in env else None for s, i in node.sources])
            found = self.ops.outcome(kind, given, sizes, lane)
            env[step.name] = found.outputs
            if found.cost is not None:
                made.costs[step.name] = found.cost
            if found.fault is not None:
                made.findings.append((step.name, found.fault))
        outputs = (self.argument(a, env, sizes) for a in instance.outputs.values())
        made.outputs = tuple(v or self.values.lost() for v in outputs)
        if plan.promised and not wrong:
            faults = broken(
                plan.promised, made.outputs, inputs, sizes, self.values, lane.dtype
            )
            made.findings += [("", fault) for fault in faults]
        return made

    def _bounds(self, instance: Instance, sizes: Mapping[str, Any]) -> Iterator[Fault]:
        """Sizes of an entry that its bounds exclude, where all of them are numbers."""
        entry = self._entries.get(instance)
        own = {n: sizes[n] for n in instance.dims} if entry is not None else {}
        if entry is not None and all(type(size) is int for size in own.values()):
            for found in entry.broken(own, sizes):
                yield Fault(found.code, found.message, field=found.path)

    def _cast(self, value: Value, dtype: Any) -> Value:
        """An input of an entry in the model's floating type."""
        if value.shape is None:
            return self.values.lost(dtype)
        return self.values.array(value.shape, dtype)

    def argument(
        self, arg: Arg, env: Mapping[str, Any], sizes: Mapping[str, Any]
    ) -> Value | None:
        """What an argument is worth; None where it is absent."""
        if arg.source is not None:
            return env[arg.source][arg.output] if arg.source in env else None
        return (
            None if arg.value is None else number_value(arg.value, sizes, self.values)
        )

    def _control(
        self,
        made: Inferred,
        node: _Node,
        env: Env,
        sizes: Mapping[str, Any],
        lane: Lane,
    ) -> Outputs:
        step, callees = node.step, node.callees
        groups: dict[str, Any] = {
            name: {n: self.argument(a, env, sizes) for n, a in group.items()}
            for name, group in step.groups.items()
        }
        groups |= {n: self.argument(step.operand(n), env, sizes) for n in step.args}
        inputs = step.callees[-1].instance.function.inputs
        op: Any = step.op
        control = Control(
            op,
            step.outputs,
            groups,
            callees,
            {n: given.dtype for n, given in inputs.items()},
            lambda size: (
                value_of(size, sizes, self.symbols) if isinstance(size, str) else size
            ),
            self.values,
            lane.dtype,
            frozenset(n for n, a in step.group("xs").items() if a.kind == "list"),
        )
        ran: dict[int, Inferred] = {}
        try:
            running = rule(control)
            i, given = next(running)
            while True:
                inner = ran[i] = self.inferred(callees[i], given, lane)
                if inner.findings:
                    made.findings.append((step.name, inner))
                i, given = running.send(inner.outputs)
        except StopIteration as stop:
            outputs: Outputs = stop.value
        except ExpressionError as error:
            control.fault(str(error))
            outputs = tuple(self.values.lost() for _ in step.outputs)
        made.findings += [(step.name, fault) for fault in control.found(self.symbols)]
        made.runs[step.name] = runs_of(step, control, ran)
        return outputs
