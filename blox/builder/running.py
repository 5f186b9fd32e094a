"""Nodes that run Python functions, by the shape engine's rule of their op."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from blox.schema import Op, SpecError
from blox.schema.expressions import ExpressionError
from blox.schema.fields import Operand as OperandMark
from blox.schema.op import ScopeOp
from blox.schema.registry import op_class
from blox.shapes.control import rule
from blox.shapes.control.base import Control
from blox.shapes.kinds import FLOAT
from blox.shapes.symbolic import value_of
from blox.shapes.values import Value as Known

from .arguments import Bound, Each, Index, Slices, known_of
from .binding import bind_all, flows_of, paired
from .callee import Place, run
from .carry import LOOPS, carried, starts
from .copies import check_lists, lists_in, settle_lists
from .fields import as_number, mapped, named_functions
from .nodes import operand, option, raise_decided, validated
from .outputs import rebuilt
from .returned import Given, carried_sizes, name_outputs
from .sizes import plain, tree_of_number
from .trace import Node, Trace, user_line
from .values import Value

_DEEPEST = 64
"""Calls within calls; a function that calls itself without an end is none."""


@dataclass
class Running:
    """A node while its functions run.

    Args:
        callees: the functions by field of the node, the one that gives its outputs last.
        options: the node's own fields.
        carry: the names of what is carried, where not the names of outputs tell.
    """

    trace: Trace
    name: str
    key: str
    callees: dict[str, Callable[..., Any]]
    options: dict[str, Any]
    carry: list[str] | None = None
    bound: list[Bound] = field(default_factory=list)
    groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    traces: dict[Any, Trace] = field(default_factory=dict)

    def run(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Runs the functions with what the call gives; what the node gives."""
        trace, name = self.trace, self.name
        trace.new_name(name)
        if trace.depth >= _DEEPEST:
            trace.fault(name, f"expected at most {_DEEPEST} calls within calls")
        self.bound = bind_all(trace, name, self.key, self.callees, args, kwargs)
        per_copy = check_lists(trace, name, self.key, self.bound[-1], self.options)
        may_start = self.key in LOOPS and bool(self.bound[-1].numbers())
        probe = self._probe(may_start)
        if may_start:
            found = starts(self.bound[-1], probe)
            self.bound = [bound.flowing(found) for bound in self.bound]
            probe = self._probe()
        carry, names = self.carry, list(probe.outputs)
        if carry is None:
            carry, names = carried(trace, name, self.key, self.bound[-1].flows, probe)
        self._sort(carry, per_copy)
        settle_lists(trace, name, self.key, self.groups, self.options, names)
        op = self._op(names)
        children, outputs = self._ruled(op, names, probe)
        last = children[-1]
        steps = self.options.get("count", self.options.get("length"))
        listed = op.callees()[-1].listed
        given = Given(trace, name, getattr(op, "axis", 0), steps, listed)
        values = given.values(last, names, outputs)
        fields = dict(self.options)
        fields |= {g: v for g, v in self.groups.items() if v or g == "inputs"}
        roles = list(self.callees)
        callees = (
            {roles[0]: children}
            if self._is_listed
            else {role: [child] for role, child in zip(roles, children, strict=True)}
        )
        trace.nodes[name] = Node(
            name, self.key, fields, False, tuple(names), user_line(), callees
        )
        shared = self.key == "repeat" and self.options.get("shared")
        if self.key in ("call", "scan") or shared:  # one set of arrays, as it is inside
            scope = op.scope(name)
            for path, kept in last.leaves.items():
                trace.leaves.setdefault((*scope, *path), kept)
        return rebuilt(last.result, values)

    # Arguments ---------------------------------------------------------------------

    @property
    def _is_listed(self) -> bool:
        return self.key == "repeat" and self.options.get("scan") is False

    def _known(self, given: Any) -> Known | None:
        return known_of(given, self.trace.session.engine.values)

    def _xs(self) -> dict[str, Any]:
        return {
            n: v.value if isinstance(v, Slices) else v
            for n, v in self.bound[-1].flows.items()
            if isinstance(v, (Slices, Each))
        }

    # The first run, by which the carry is known ---------------------------------------

    def _probe(self, numbers: bool = False) -> Trace:
        """The function that gives the outputs, run on what it gets at first."""
        flows = self.bound[-1].flows
        everything: dict[str, Any] = {
            n: self._known(v)
            for n, v in flows.items()
            if not isinstance(v, (Slices, Index, Each))
        }
        xs = {n: self._known(v) for n, v in self._xs().items()}
        node = self._control(None, (), {"xs": xs, "carry": everything}, ())
        if self.key in LOOPS:
            everything = dict(node.typed("carry"))
        if not self._is_listed:
            xs = dict(node.typed("xs"))
        axis = self.trace.number(self.name, self.options.get("axis", 0))
        arrays: dict[str, Known | None] = {
            n: v for n, v in xs.items() if v is not None and v.literal is None
        }
        lists = {n: arrays.pop(n) for n in lists_in(flows)}
        cut, _ = node.cut(arrays, node.size(as_number(axis)), None)
        cut |= lists
        self._raise(node)
        for n, v in xs.items():
            if v is not None and v.literal is not None:
                cut[n] = node.values.number(v.literal[0])
        for n, v in flows.items():
            if isinstance(v, Index):
                literal = node.values.number(0)
                step = node.values.array((), "int32")
                cut[n] = literal if self._is_listed else step
        return self._child(len(self.bound) - 1, 0, everything | cut, numbers)

    def _sort(self, carry: Sequence[str], per_copy: int) -> None:
        """Sorts what flows in into the groups of the node."""
        flows = flows_of(self.bound)
        others = {n: v for n, v in flows.items() if n not in carry}
        own = (Slices, Index, Each)
        plainly = {n: v for n, v in others.items() if not isinstance(v, own)}
        steps = [n for n, v in flows.items() if isinstance(v, Index)]
        if steps:
            if self.key not in LOOPS or len(steps) > 1:
                self.trace.fault(
                    f"{self.name}.{steps[-1]}",
                    "expected bx.index() once, in a repeat, scan or while_loop",
                )
            self.options["index"] = steps[0]
        xs = self._xs()
        if self.key == "associative_scan":
            xs, self.options["right"] = paired(xs)
        groups = {"carry": {n: flows[n] for n in carry}, "xs": xs}
        self.groups = {g: v for g, v in groups.items() if v} | {"inputs": plainly}
        count = self.options.get("count")
        if per_copy > 1 and type(tree_of_number(count)) is not int:
            self.trace.fault(
                f"{self.name}.count",
                "expected a number of copies beside bx.each, found an expression",
                "lists per copy have a length; int(count) leaves the expression behind",
            )

    # The op and its rule ----------------------------------------------------------------

    def _op(self, names: Sequence[str]) -> ScopeOp:
        """The node as an op, with the Python functions' names in it."""
        trace, name = self.trace, self.name
        cls = op_class(self.key)
        assert cls is not None
        for key, value in list(self.options.items()):
            self.options[key] = option(trace, f"{name}.{key}", cls, value)
        for group, given in self.groups.items():
            for n, value in given.items():
                kind: Any = value.kind if isinstance(value, Value) else "tensor"
                mark = OperandMark(kind, True)
                if isinstance(value, Each):
                    given[n] = list(value.items)
                else:
                    given[n] = operand(trace, f"{name}.{group}.{n}", value, mark)
        data: dict[str, Any] = {"op": self.key}
        data |= mapped(self.options | self.groups, as_number)
        data |= named_functions(
            list(self.callees), [f.__name__ for f in self.callees.values()]
        )
        op = validated(trace, name, {k: v for k, v in data.items() if v is not None})
        try:
            resolved: Op = op.resolve({}, partial=True)
        except ExpressionError as error:
            trace.fault(name, str(error))
        problems = list(resolved.problems())
        if problems:
            raise SpecError(p.at(f"{trace.path}.{name}") for p in problems)
        assert isinstance(resolved, ScopeOp)
        return resolved

    def _control(
        self, op: Any, names: Sequence[str], groups: Mapping[str, Any], tokens: Any
    ) -> Control[Any]:
        engine, sizes = self.trace.session.engine, self.trace.sizes

        def size(given: Any) -> Any:
            text = isinstance(given, str)
            return value_of(given, sizes, engine.symbols) if text else given

        names, lists = tuple(names), frozenset(lists_in(self.bound[-1].flows))
        return Control(op, names, groups, tokens, {}, size, engine.values, FLOAT, lists)

    def _ruled(
        self, op: ScopeOp, names: Sequence[str], probe: Trace
    ) -> tuple[list[Trace], Sequence[Known]]:
        """Runs the functions as often as the rule of the op asks."""
        known: dict[str, Any] = {
            group: {n: self._known(v) for n, v in given.items()}
            for group, given in self.groups.items()
        }
        for key, value in self.options.items():
            if isinstance(value, Value) or key in op.fields().operands:
                known[key] = self._known(value)
        count = getattr(op, "count", None)
        copies = count if self._is_listed and type(count) is int else len(self.bound)
        tokens = [self._token(i) if self._is_listed else i for i in range(copies)]
        node = self._control(op, names, known, tokens)
        children: dict[int, Trace] = {}
        outputs: Sequence[Known] = ()
        try:
            running = rule(node)
            at, inputs = next(running)
            while True:
                which, copy = (0, at) if self._is_listed else (at, 0)
                before = children.get(at - 1) if self._is_listed else None
                child = children[at] = self._child(which, copy, inputs, before=before)
                if which == len(self.bound) - 1:
                    name_outputs(child, names)
                found = [v.known for v in child.outputs.values()]
                at, inputs = running.send(tuple(found))
        except StopIteration as stop:
            outputs = stop.value
        except ExpressionError as error:
            self.trace.fault(self.name, str(error))
        self._raise(node)
        if not children:
            name_outputs(probe, names)
        return [children[i] for i in sorted(children)] or [probe], outputs

    def _raise(self, node: Control[Any]) -> None:
        symbols = self.trace.session.engine.symbols
        for fault in node.found(symbols):
            raise_decided(self.trace, self.name, "", fault)

    def _token(self, copy: int) -> str:
        """What tells copies apart."""
        given = self.bound[0].arguments.values()
        lists = [v.items for v in given if isinstance(v, Each)]
        return repr([items[copy % len(items)] for items in lists])

    def _child(
        self,
        which: int,
        copy: int,
        inputs: Mapping[str, Any],
        numbers: bool = False,
        before: Trace | None = None,
    ) -> Trace:
        """The function, run for what flows in; once for what is alike.

        Args:
            before: the copy that gives the carry.
        """
        bound = self.bound[which]
        token = self._token(copy) if self._is_listed else None
        given = tuple((n, id(inputs.get(n))) for n in bound.flows)
        carry = self.groups.get("carry", {})
        sizes = {} if before is None else carried_sizes(before, carry)
        trees = repr([list(map(tree_of_number, v)) for v in sizes.values()])
        key = (which, token, given, numbers, trees)
        if key not in self.traces:
            axis = 0 if self.key == "repeat" else plain(self.options.get("axis", 0))
            parameters = self.options.get("params")
            place = Place(self.trace, self.name, axis, parameters == ".", sizes)
            self.traces[key] = run(place, bound.copy(copy), inputs, numbers)
        return self.traces[key]
