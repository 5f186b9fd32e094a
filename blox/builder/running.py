"""Nodes that run Python functions, by the shape engine's rule of their op."""

from __future__ import annotations

import math
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

from .arguments import Bound, Each, Flow, Index, Slices, bind
from .fields import as_number, mapped
from .nodes import operand, parsed, raise_decided
from .outputs import finish, rebuilt
from .sizes import Dim, numbered, plain, tree_of_number
from .trace import Node, Trace, user_line
from .trees import Tree, replaced
from .values import Value, is_numeric

_DEEPEST = 64
"""Calls within calls; a function that calls itself without an end is none."""
LOOPS = ("repeat", "scan", "while_loop")


@dataclass
class Running:
    """A node while its functions run.

    Args:
        callees: the functions by field of the node, the one that gives its outputs last.
        options: the node's own fields.
    """

    trace: Trace
    name: str
    key: str
    callees: dict[str, Callable[..., Any]]
    options: dict[str, Any]
    bound: list[Bound] = field(default_factory=list)
    groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    traces: dict[Any, Trace] = field(default_factory=dict)

    def run(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Runs the functions with what the call gives; what the node gives."""
        trace, name = self.trace, self.name
        trace.new_name(name)
        if trace.depth >= _DEEPEST:
            trace.fault(name, f"expected at most {_DEEPEST} calls within calls")
        self.bound = [bind(trace, name, f, args, kwargs) for f in self.callees.values()]
        self._same_inputs()
        per_copy = self._per_copy()
        probe = self._probe()
        carry, names = self._carry(probe)
        self._sort(carry, per_copy)
        op = self._op(names)
        children, outputs = self._ruled(op, names, probe)
        last = children[-1]
        for child in children if self._is_listed else [last]:
            child.outputs = dict(zip(names, child.outputs.values(), strict=True))
        values = self._values(op, last, names, outputs)
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
        if len(roles) == 1 and not self._is_listed and self._keeps_one:
            scope = op.scope(name)
            for path, kept in last.leaves.items():
                trace.leaves.setdefault((*scope, *path), kept)
        return rebuilt(last.result, values)

    # Arguments ---------------------------------------------------------------------

    @property
    def _is_listed(self) -> bool:
        return self.key == "repeat" and self.options.get("scan") is False

    @property
    def _keeps_one(self) -> bool:
        return self.key in ("call", "scan")

    def _same_inputs(self) -> None:
        """Functions of one node take inputs of the same names."""
        wanted = set(self.bound[-1].flows)
        for bound in self.bound[:-1]:
            if set(bound.flows) != wanted:
                first, other = (
                    ", ".join(b.flows) or "none" for b in (self.bound[-1], bound)
                )
                self.trace.fault(
                    self.name,
                    f"expected functions with inputs of the same names, found {other} "
                    f"beside {first}",
                )

    def _per_copy(self) -> int:
        """How many copies differ by their arguments: 1 where none do."""
        lists = [
            (n, v) for n, v in self.bound[-1].arguments.items() if isinstance(v, Each)
        ]
        for name, given in lists:
            where = f"{self.name}.{name}"
            if self.key != "repeat":
                self.trace.fault(where, "expected bx.each in a repeat, found it here")
            if not given.items:
                self.trace.fault(where, "expected a value for each copy, found none")
            if not self._is_listed:
                self._scanned_list(name, given)
        if self._is_listed and lists:
            return math.lcm(*(len(given.items) for _, given in lists))
        return 1

    def _scanned_list(self, name: str, given: Each) -> None:
        """A list under `scan` is a slice for each step: numbers that flow."""
        numbers = [self.trace.number(f"{self.name}.{name}", v) for v in given.items]
        count = plain(self.options["count"])
        if not all(is_numeric(n) for n in numbers):
            self.trace.fault(
                f"{self.name}.{name}",
                "expected numbers for copies that one lax.scan runs, found others",
                "scan=False runs copies that differ one after another",
            )
        if type(count) is int:
            times, rest = divmod(count, len(numbers))
            if rest:
                self.trace.fault(
                    f"{self.name}.{name}",
                    f"expected numbers that go into {count} copies, found {len(numbers)}",
                )
            numbers = numbers * times
        self.bound[-1].flows[name] = Each(tuple(numbers))
        self.bound[-1].arguments[name] = Flow(name)

    def _known(self, name: str, given: Any) -> Known | None:
        values = self.trace.session.engine.values
        if isinstance(given, Value):
            return given.known
        if isinstance(given, Each):
            return values.number(tuple(map(plain, given.items)))
        if isinstance(given, Dim):
            return values.array((), "int32", True)
        return values.number(plain(given))

    def _xs(self) -> dict[str, Any]:
        return {
            n: v.value if isinstance(v, Slices) else v
            for n, v in self.bound[-1].flows.items()
            if isinstance(v, (Slices, Each))
        }

    # The first run, by which the carry is known ---------------------------------------

    def _probe(self) -> Trace:
        """The function that gives the outputs, run on what it gets at first."""
        flows = self.bound[-1].flows
        fields = {k: v for k, v in self.options.items() if k in ("axis", "count")}
        fields.setdefault("axis", 0)
        everything: dict[str, Any] = {
            n: self._known(n, v)
            for n, v in flows.items()
            if not isinstance(v, (Slices, Index, Each))
        }
        xs = {n: self._known(n, v) for n, v in self._xs().items()}
        node = self._control(None, (), {"xs": xs, "carry": everything}, ())
        if self.key in LOOPS:
            everything = dict(node.typed("carry"))
        if not self._is_listed:
            xs = dict(node.typed("xs"))
        axis = node.size(as_number(self.trace.number(self.name, fields["axis"])))
        arrays: dict[str, Known | None] = {
            n: v for n, v in xs.items() if v is not None and v.literal is None
        }
        cut, _ = node.cut(arrays, axis if self.key != "repeat" else 0, None)
        self._raise(node)
        for n, v in xs.items():
            if v is not None and v.literal is not None:
                cut[n] = node.values.number(v.literal[0])
        for n, v in flows.items():
            if isinstance(v, Index):
                literal = node.values.number(0)
                step = node.values.array((), "int32")
                cut[n] = literal if self._is_listed else step
        return self._child(len(self.bound) - 1, 0, everything | cut)

    def _carry(self, probe: Trace) -> tuple[list[str], list[str]]:
        """The inputs that are carried, and the names of the outputs."""
        flows = self.bound[-1].flows
        names = list(probe.outputs)
        uncarried = [
            n for n, v in flows.items() if isinstance(v, (Slices, Each, Index))
        ]
        if self.key in LOOPS:
            first = next(iter(flows), None)
            if isinstance(probe.result, Value) and first and first not in uncarried:
                names = [first]
            carry = [n for n in names if n in flows and n not in uncarried]
            lost = [n for n in names if n not in carry]
            if self.key == "while_loop" and lost:
                self.trace.fault(
                    self.name,
                    f"expected {probe.name} to return its next arguments by name "
                    f"({', '.join(flows)}), found {lost[0]}",
                )
        else:
            carry = []
        if self.key == "map":
            uncarried = list(flows)
        if self.key in (*LOOPS, "map"):
            for name in names:
                if name in uncarried:
                    self.trace.fault(
                        f"{self.name}.{name}",
                        f"expected another name for the output {name} of {probe.name}, "
                        "which is an input that isn't carried",
                        'return it as {"y": ...}',
                    )
        return carry, names

    def _sort(self, carry: Sequence[str], per_copy: int) -> None:
        """Sorts what flows in into the groups of the node."""
        flows = self.bound[-1].flows
        plainly = {
            n: v
            for n, v in flows.items()
            if not isinstance(v, (Slices, Index, Each)) and n not in carry
        }
        steps = [n for n, v in flows.items() if isinstance(v, Index)]
        if steps:
            if self.key not in ("repeat", "scan") or len(steps) > 1:
                self.trace.fault(
                    f"{self.name}.{steps[-1]}",
                    "expected bx.index() once, in a repeat or scan",
                )
            self.options["index"] = steps[0]
        groups = {"carry": {n: flows[n] for n in carry}, "xs": self._xs()}
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
        for key, value in list(self.options.items()):
            self.options[key] = self._option(f"{name}.{key}", key, value)
        for group, given in self.groups.items():
            for n, value in given.items():
                kind = value.kind if isinstance(value, Value) else "tensor"
                mark = OperandMark("key" if kind == "key" else "tensor", True)
                if isinstance(value, Each):
                    given[n] = list(value.items)
                else:
                    given[n] = operand(trace, f"{name}.{group}.{n}", value, mark)
        data: dict[str, Any] = {"op": self.key}
        data |= mapped(self.options | self.groups, as_number)
        data |= self._functions([f.__name__ for f in self.callees.values()])
        op = parsed(trace, name, {k: v for k, v in data.items() if v is not None})
        try:
            resolved: Op = op.resolve({}, partial=True)
        except ExpressionError as error:
            trace.fault(name, str(error))
        problems = list(resolved.problems())
        if problems:
            raise SpecError(p.at(f"{trace.path}.{name}") for p in problems)
        assert isinstance(resolved, ScopeOp)
        return resolved

    def _option(self, where: str, key: str, value: Any) -> Any:
        cls = op_class(self.key)
        assert cls is not None
        mark = cls.fields().operands.get(key)
        if mark is not None and value is not None:
            return operand(self.trace, where, value, mark)
        return self.trace.number(where, value)

    def _functions(self, names: Sequence[str]) -> dict[str, Any]:
        """The fields that name the functions."""
        return named_functions(list(self.callees), names)

    def _control(
        self, op: Any, names: Sequence[str], groups: Mapping[str, Any], tokens: Any
    ) -> Control[Any]:
        engine, sizes = self.trace.session.engine, self.trace.sizes

        def size(given: Any) -> Any:
            text = isinstance(given, str)
            return value_of(given, sizes, engine.symbols) if text else given

        return Control(op, tuple(names), groups, tokens, {}, size, engine.values, FLOAT)

    def _ruled(
        self, op: ScopeOp, names: Sequence[str], probe: Trace
    ) -> tuple[list[Trace], Sequence[Known]]:
        """Runs the functions as often as the rule of the op asks."""
        known: dict[str, Any] = {
            group: {n: self._known(n, _given(v)) for n, v in given.items()}
            for group, given in self.groups.items()
        }
        for key, value in self.options.items():
            if isinstance(value, Value) or key in op.fields().operands:
                known[key] = self._known(key, value)
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
                child = children[at] = self._child(which, copy, inputs)
                found = [v.known for v in child.outputs.values()]
                at, inputs = running.send(tuple(found))
        except StopIteration as stop:
            outputs = stop.value
        except ExpressionError as error:
            self.trace.fault(self.name, str(error))
        self._raise(node)
        made = [children[i] for i in sorted(children)] or [probe]
        return made, outputs

    def _raise(self, node: Control[Any]) -> None:
        symbols = self.trace.session.engine.symbols
        for fault in node.found(symbols):
            raise_decided(self.trace, self.name, "", fault)

    def _token(self, copy: int) -> str:
        """What tells copies apart."""
        given = self.bound[0].arguments.values()
        lists = [v.items for v in given if isinstance(v, Each)]
        return repr([items[copy % len(items)] for items in lists])

    # One function -----------------------------------------------------------------------

    def _child(self, which: int, copy: int, inputs: Mapping[str, Any]) -> Trace:
        """The function, run for what flows in; once for what is alike."""
        bound = self.bound[which]
        token = self._token(copy) if self._is_listed else None
        given = tuple((n, id(inputs.get(n))) for n in bound.flows)
        key = (which, token, given)
        if key not in self.traces:
            self.traces[key] = self._run(bound, copy, inputs)
        return self.traces[key]

    def _run(self, bound: Bound, copy: int, inputs: Mapping[str, Any]) -> Trace:
        child = Trace(self.trace.session, bound.function, self.trace, self.name)
        child.left_out = set(bound.absent)
        if self.options.get("params") == ".":
            child.leaves = dict(self.trace.leaves)
        for name, given in bound.flows.items():
            known = inputs.get(name) or child.session.engine.values.lost()
            child.inputs[name] = self._input(child, name, given, known)
        arguments: dict[str, Any] = {}
        for name, given in bound.arguments.items():
            if isinstance(given, Each):
                given = given.items[copy % len(given.items)]
            if not _has_flow(given):
                given = self.trace.number(f"{self.name}.{name}", given)
                child.static[name] = given
            arguments[name] = _argument(child, name, given)
        finish(child, _called(child, bound, arguments))
        return child

    def _input(self, child: Trace, name: str, given: Any, known: Known) -> Value:
        """An input of a function, its sizes as symbols of that function."""
        if isinstance(given, Value) and given.kind == "key":
            return Value(name, child, known, (), "key", given.optional)
        optional = isinstance(given, Value) and given.optional
        if known.shape is None:
            return Value(name, child, known, None, optional=optional)
        source = self._sources(given, known)
        sizes: list[Any] = []
        for axis, size in enumerate(known.shape):
            before = source[axis]
            if type(size) is not int:
                tree = before.tree if isinstance(before, Dim) else None
                hint = getattr(tree, "name", None) or f"{name}_{axis}"
                sizes.append(child.bind_dim(hint, size, (name, axis), tree))
                continue
            last = axis == len(known.shape) - 1
            stem = name if child.inputs else "in"
            hint = f"{stem}_features" if last else f"{name}_{axis}"
            bound = tree_of_number(before) if before == size else size
            sizes.append(numbered(size, child.symbol(hint, size, bound)))
        return Value(name, child, known, tuple(sizes), optional=optional)

    def _sources(self, given: Any, known: Known) -> list[Any]:
        """The sizes of what the caller gives, axis by axis of what flows in."""
        assert known.shape is not None
        value = given.value if isinstance(given, Slices) else given
        sizes = list(value.sizes or ()) if isinstance(value, Value) else []
        if isinstance(given, Slices) and sizes:
            axis = 0 if self.key == "repeat" else plain(self.options.get("axis", 0))
            if type(axis) is int and -len(sizes) <= axis < len(sizes):
                del sizes[axis]
        if len(sizes) != len(known.shape):
            return list(known.shape)
        return sizes

    # Outputs -----------------------------------------------------------------------------

    def _values(
        self,
        op: ScopeOp,
        child: Trace,
        names: Sequence[str],
        outputs: Sequence[Known],
    ) -> tuple[Value, ...]:
        trace = self.trace
        made = []
        inner = list(child.outputs.values())
        for name, value, known in zip(names, inner, outputs, strict=True):
            reference = self.name if len(names) == 1 else f"{self.name}.{name}"
            if value.kind == "key":
                made.append(Value(reference, trace, known, (), "key", True))
                continue
            sizes = self._outer(op, child, value, known)
            made.append(Value(reference, trace, known, sizes))
        return tuple(made)

    def _outer(
        self, op: ScopeOp, child: Trace, value: Value, known: Known
    ) -> tuple[Any, ...] | None:
        """The sizes of an output in the caller's words."""
        if known.shape is None:
            return None
        inner = [_outside(child, size) for size in value.sizes or ()]
        if len(inner) + 1 == len(known.shape):  # stacked
            axis = getattr(op, "axis", 0)
            at = axis % len(known.shape) if type(axis) is int else 0
            count = self.options.get("count", self.options.get("length"))
            inner.insert(at, tree_of_number(count) if count is not None else None)
        if len(inner) != len(known.shape):
            inner = [None] * len(known.shape)
        sizes: list[Any] = []
        for tree, size in zip(inner, known.shape, strict=True):
            if type(size) is not int:
                sizes.append(self.trace.dim(size))
            elif tree is None or not _is(tree, size):
                sizes.append(size)
            else:
                sizes.append(numbered(size, tree))
        return tuple(sizes)


def named_functions(fields: Sequence[str], names: Sequence[str]) -> dict[str, Any]:
    """Fields that name functions; `branches.0`, `branches.1` are one list."""
    found: dict[str, Any] = {}
    for place, name in zip(fields, names, strict=True):
        stem, dot, _ = place.partition(".")
        if dot:
            found.setdefault(stem, []).append(name)
        else:
            found[place] = name
    return found


def _given(value: Any) -> Any:
    return Each(tuple(value)) if isinstance(value, list) else value


def _has_flow(argument: Any) -> bool:
    if isinstance(argument, dict):
        return any(map(_has_flow, argument.values()))
    if isinstance(argument, (list, tuple)):
        return any(map(_has_flow, argument))
    return isinstance(argument, Flow)


def _argument(child: Trace, name: str, given: Any) -> Any:
    """An argument as the function gets it."""
    if isinstance(given, Flow):
        return child.inputs[given.name]
    if _has_flow(given):
        if isinstance(given, dict):
            return {k: _argument(child, f"{name}_{k}", v) for k, v in given.items()}
        parts = [_argument(child, f"{name}_{i}", v) for i, v in enumerate(given)]
        return tuple(parts) if isinstance(given, tuple) else parts
    return child.argument(name, given)


def _called(child: Trace, bound: Bound, arguments: Mapping[str, Any]) -> Any:
    positional = [v for n, v in arguments.items() if n not in bound.keyword_only]
    keywords = {n: v for n, v in arguments.items() if n in bound.keyword_only}
    return bound.function(child.f, *positional, **keywords)


def _outside(child: Trace, size: Any) -> Tree:
    """A size of a function in the caller's words; None for dims, which JAX knows."""
    if isinstance(size, Dim):
        return None
    return replaced(tree_of_number(size), child.bindings)


def _is(tree: Tree, size: int) -> bool:
    from .trees import value_of as number_of

    return bool(number_of(tree) == size)
