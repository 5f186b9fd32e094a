"""The nodes of one function: operands checked, sizes filled in, shapes found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NoReturn

from blox.schema import Graph, Op, SpecError, op_class
from blox.schema.content import FORMAT
from blox.schema.content import Input as Declaration
from blox.schema.diagnostics import Diagnostic, quote
from blox.schema.expressions import ExpressionError, evaluate, names
from blox.schema.fields import Operand as OperandMark
from blox.schema.fields import is_expression
from blox.schema.names import is_name
from blox.schema.registry import definition, registered
from blox.schema.resolve.custom import registered_node

from .lanes import Lanes, args_of, sources
from .session import Leaves, Session
from .values import Flow, Value, Values, check_list
from .written import fill, last_sizes


class Writer:
    """The nodes of one function as they are written, and what is known of them."""

    def __init__(
        self,
        graph: Session,
        name: str,
        inputs: Mapping[str, Flow],
        own: Mapping[str, int | float],
        leaves: Leaves,
    ) -> None:
        self.graph = graph
        self.lanes: Lanes = graph.lanes
        self.name = name
        self.inputs = {n: Value(n, flow, self) for n, flow in inputs.items()}
        self.declared: dict[str, dict[str, Any]] = {n: {} for n in inputs}
        self.own = dict(own)
        self.attributes = {**graph.attributes, **own}
        self.sizes: list[dict[str, Any]] = [dict(self.attributes)] * len(self.lanes)
        """The values of attributes and dims, in each lane."""
        self.nodes: dict[str, Op] = {}
        self.leaves = leaves

    def declare(self, x: Value, shape: Sequence[int | str], dtype: str | None) -> None:
        """See `FunctionBuilder.declare`."""
        self._own_value(f"{self.name}.{x.reference}", x)
        if x.reference not in self.inputs:
            self.fault(
                x.reference, "expected an input of the function, found one of its nodes"
            )
        self.bind(x.reference, shape, x.flow)
        self.declared[x.reference]["shape"] = list(shape)
        if dtype is not None:
            self.declared[x.reference]["dtype"] = dtype

    def bind(self, name: str, shape: Sequence[int | str], flow: Flow) -> None:
        """Binds the dims of a declared shape to the sizes that are known."""
        path = f"{self.name}.{name}"
        check_list(path, shape)
        try:
            given = Declaration(shape=list(shape))
        except ValueError:
            self.fault(name, f"expected sizes, dims or expressions, found {shape!r}")
        self.sizes = self.lanes.bind(path, given, flow.values, self.sizes)

    def fault(self, where: str, message: str, hint: str = "") -> NoReturn:
        path = f"{self.name}.{where}" if where else self.name
        raise SpecError(Diagnostic("builder", path, message, hint))

    def check_name(self, name: str) -> None:
        if not isinstance(name, str) or not is_name(name):
            self.fault(
                quote(name),
                "expected the name of a node: letters, digits and inner underscores, "
                "no keyword of Python",
            )
        if name in self.nodes or name in self.inputs:
            what = "a node" if name in self.nodes else "an input"
            self.fault(name, f"expected a new name, found that of {what}")

    def _own_value(self, path: str, value: Value) -> None:
        if value.owner is not self:
            raise SpecError.one(
                "builder-closure",
                path,
                f"expected a value of {self.name}, found {value.reference} of "
                f"{value.owner.name}",
                "functions close over nothing: pass it as an input",
            )

    def operand(self, where: str, value: Any, mark: OperandMark) -> Any:
        """What stands in the Graph for an operand; checked to be of this function."""
        path = f"{self.name}.{where}"
        if isinstance(value, Value):
            self._own_value(path, value)
            self._check_kind(where, value, mark)
            return value.reference
        if mark.kind == "key" or isinstance(value, bool):
            self.fault(where, f"expected a {mark.kind}, found {quote(value)}")
        if isinstance(value, (int, float)) or is_expression(value):
            return value
        if isinstance(value, Values):
            found = f"the outputs {', '.join(value.names)}; take one of them"
        else:
            found = f"{type(value).__name__} {quote(value)}"
        self.fault(where, f"expected a Value, a number or an expression, found {found}")

    def _check_kind(self, where: str, value: Value, mark: OperandMark) -> None:
        flow = value.flow
        if flow.absent and mark.kind == "key":
            self.declared[value.reference]["dtype"] = "key"
        elif not flow.absent and flow.kind != mark.kind:
            self.fault(where, f"expected a {mark.kind}, found a {flow.kind}")
        if flow.optional and not mark.optional:
            self.fault(
                where,
                "expected a value that is always there, found "
                f"{value.reference}, which is optional",
                "give it a value by f.default",
            )

    def number_flow(self, where: str, value: Any) -> Flow:
        """A number, an expression or a list of numbers as what flows."""
        if isinstance(value, str):
            try:
                evaluate(value, self.sizes[0], "float")
            except ExpressionError as error:
                self.fault(where, str(error))
        return Flow(self.lanes.number(value, self.sizes))

    def flow_of(self, where: str, value: Any) -> Flow:
        if isinstance(value, Value):
            return value.flow
        return self.number_flow(where, value)

    def add(
        self, name: str, op: Op, names: Sequence[str], flows: Sequence[Flow]
    ) -> tuple[Value, ...]:
        """Adds a finished node; its outputs, `names` being theirs."""
        self.nodes[name] = op
        if len(flows) == 1:
            return (Value(name, flows[0], self),)
        return tuple(
            Value(f"{name}.{output}", flow, self)
            for output, flow in zip(names, flows, strict=True)
        )

    def validated(self, name: str, data: dict[str, Any]) -> Op:
        """The node as an Op.

        Raises:
            SpecError: every field of it that is not as it should be.
        """
        if definition(data["op"]) in registered():
            return registered_node(f"{self.name}.{name}", data)
        function = {"nodes": {name: data}, "outputs": {"x": name}}
        parsed = Graph.parse(
            {"format": FORMAT, "name": "model", "functions": {self.name: function}}
        )
        return parsed.functions[self.name].nodes[name]

    def resolved(self, name: str, op: Op) -> Op:
        """The op with numbers for attributes, its problems raised."""
        try:
            result = op.resolve(self.attributes, partial=True)
        except ExpressionError as error:
            self.fault(name, f"{op.op}: {error}")
        for field, text in result.expressions():
            for used in names(text):
                if used not in self.sizes[0]:
                    have = ", ".join(self.sizes[0]) or "none"
                    self.fault(
                        f"{name}.{field}",
                        f"expected an attribute or a dim ({have}), found {quote(used)}",
                        "f.declare binds the dims of an input's shape",
                    )
        problems = list(result.problems())
        if problems:
            raise SpecError(p.at(f"{self.name}.{name}") for p in problems)
        return result

    def node(
        self, name: str, kind: str, fields: Mapping[str, Any]
    ) -> tuple[Value, ...]:
        """A node of an op that computes by itself."""
        self.check_name(name)
        cls = op_class(kind)
        assert cls is not None
        marks = cls.fields()
        data: dict[str, Any] = {"op": kind}
        values: dict[str, list[Value]] = {}
        for field, value in fields.items():
            if value is None:
                continue
            mark = marks.operands.get(field)
            where = f"{name}.{field}"
            if mark is None and field in marks.slots:
                if not isinstance(value, Value):
                    self.fault(where, f"expected a Value, found {quote(value)}")
                mark = OperandMark()
            if mark is None:
                data[field] = _plain(value)
                continue
            parts: list[Any] = [value]
            if mark.many == "list":
                if not isinstance(value, (list, tuple)):
                    self.fault(where, "expected a list of values, found one value")
                parts = list(value)
            references = [self.operand(where, part, mark) for part in parts]
            data[field] = references if mark.many == "list" else references[0]
            values[field] = [p for p in parts if isinstance(p, Value)]
        op = self.validated(name, data)
        return self._finished(name, op, values)

    def _finished(
        self, name: str, op: Op, values: dict[str, list[Value]]
    ) -> tuple[Value, ...]:
        first = {field: parts[0].flow for field, parts in values.items() if parts}
        scope = op.scope(name)
        known = {n: self.leaves.get((*scope, *([n] if n else []))) for n in op.stored()}
        op = fill(op, first, tied=bool(known) and all(known.values()))
        resolved = self.resolved(name, op)
        leaves = {}
        for leaf_name, leaf in resolved.stored().items():
            shape, dtype = leaf.shape, leaf.dtype
            there = known[leaf_name]
            if None in shape and there is not None and len(there[0]) == len(shape):
                shape = tuple(
                    b if a is None else a for a, b in zip(shape, there[0], strict=True)
                )
            leaves[leaf_name] = (shape, dtype)
        self._check_leaves(name, resolved, leaves)
        for leaf_name, entry in leaves.items():
            self.leaves.setdefault((*scope, *([leaf_name] if leaf_name else [])), entry)
        flows = {v.reference: v.flow for parts in values.values() for v in parts}
        args = args_of(resolved)
        own = {
            n: replace(leaf, shape=leaves[n][0])
            for n, leaf in resolved.stored().items()
        }
        kind = self.lanes.kind(resolved, args, own)
        given = [flows[source].values for source in sources(args)]
        found = self.lanes.outputs(f"{self.name}.{name}", kind, given, self.sizes)
        if op.OUTPUT_KIND == "key":
            flow = Flow(found[0], kind="key", optional=True)
            return self.add(name, op, ("out",), [flow])
        outputs = [Flow(known) for known in found]

        def keeps(output: int, size: int) -> bool:
            return self.lanes.keeps_last(kind, given, self.sizes, output, size)

        lasts = last_sizes(op, outputs, list(flows.values()), keeps, self.attributes)
        finished = [
            replace(flow, last=last) for flow, last in zip(outputs, lasts, strict=True)
        ]
        return self.add(name, op, resolved.outputs(), finished)

    def _check_leaves(
        self, name: str, op: Op, leaves: Mapping[str, tuple[tuple[Any, ...], str]]
    ) -> None:
        for field, text in op.undecided() if leaves else ():
            self.fault(
                f"{name}.{field}",
                f"{op.op}: expected a size that no dim decides, found {quote(text)}",
            )
        for shape, _ in leaves.values():
            if None in shape:
                lacking = [n for n in op.fields().minima if n in op.lacking()]
                self.fault(
                    name,
                    f"{op.op}: expected {' and '.join(lacking) or 'sizes'}, found "
                    "nothing, and what flows in does not tell",
                    "give " + " and ".join(f"{n}=" for n in lacking) if lacking else "",
                )


def _plain(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return [_plain(v) for v in value]
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    return value
