"""The choices of sizes that a function is written with: symbolic ones, and samples."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from blox.schema import Graph, ModelError, Op, SpecError
from blox.schema.content import Input
from blox.schema.diagnostics import Diagnostic
from blox.schema.expressions import ExpressionError
from blox.schema.fields import is_expression
from blox.schema.parameters import Leaf
from blox.schema.resolve.program import Arg, Args, flat
from blox.shapes.binding import bound, input_dtype, number_value
from blox.shapes.declared import Declared, bounds_of, relations_of
from blox.shapes.engine import Engine
from blox.shapes.faults import Fault
from blox.shapes.kinds import FLOAT, Kind, Lane
from blox.shapes.samples import Samples, Sizes, symbolic
from blox.shapes.symbolic import Symbols, is_symbolic
from blox.shapes.values import Value
from blox.shapes.verdict import verdict

Known = tuple[Value | None, ...]
"""What is known of something that flows, in each lane; symbolic sizes come first."""


class Shapes:
    """The engine of a Graph that is being written.

    Args:
        graph: the bounds, constraints and attributes.
    """

    def __init__(self, graph: Graph) -> None:
        self.bounds = bounds_of(graph)
        self.relations = relations_of(graph)
        self.values = graph.attributes
        named = [*self.bounds, *(n for r in self.relations for n in r.names)]
        dims = dict.fromkeys(n for n in named if n not in graph.attributes)
        symbols = Symbols(iter(dims), self.bounds, self.relations, graph.attributes)
        # Whoever writes a model may write a large one.
        self.engine = Engine(symbols, math.inf)

    def lanes(self, inputs: Mapping[str, Input]) -> Lanes:
        """The lanes of an entry with these inputs."""
        declared = Declared(inputs, self.values)
        given = list(inputs)
        cases = None
        if declared.is_free(given):
            cases = list(Samples(declared, given, self.bounds, self.relations))
        first = symbolic(declared, given, self.engine.symbols)
        return Lanes(self.engine, declared, first, cases)


class Lanes:
    """The lanes of one entry, in which all that it calls is written too."""

    def __init__(
        self,
        engine: Engine,
        declared: Declared,
        first: Sizes,
        cases: list[Sizes] | None,
    ) -> None:
        self.engine, self._declared = engine, declared
        self.cases = cases
        self._sizes = [first, *(cases or ())]

    def __len__(self) -> int:
        return len(self._sizes)

    def input(self, path: str, name: str) -> Known:
        """An input as declared."""
        given = self._declared.inputs[name]
        try:
            dtype = input_dtype(given.dtype, FLOAT)
            return tuple(
                self.engine.values.array(
                    sizes.shape(name, given.shape or [], self._declared.values), dtype
                )
                for sizes in self._sizes
            )
        except ExpressionError as error:
            raise SpecError.one("builder", path, str(error)) from None

    def absent(self) -> Known:
        return (None,) * len(self)

    def number(self, number: Any, sizes: Sequence[Mapping[str, Any]]) -> Known:
        """A number, an expression, or a list of them."""
        return tuple(number_value(number, own, self.engine.values) for own in sizes)

    def bind(
        self,
        path: str,
        given: Input,
        known: Known,
        sizes: Sequence[Mapping[str, Any]],
    ) -> list[dict[str, Any]]:
        """The sizes, with those of the dims that a declared shape binds.

        Raises:
            ModelError: another rank, or another size.
        """
        name = path.rpartition(".")[2]
        found, faults = [], []
        for value, own in zip(known, sizes, strict=True):
            new, wrong = bound({name: given}, own, {name: value}, self.engine.symbols)
            found.append(new)
            faults.append(replace(wrong[0], field="") if wrong else None)
        self.judge(path, "", faults)
        return found

    def judge(self, path: str, op: str, faults: Sequence[Fault | None]) -> None:
        """Raises the fault of a node, where the lanes say together that it is one.

        Raises:
            ModelError: as the validator would report it.
        """
        first, *others = faults
        samples = {i: fault for i, fault in enumerate(others) if fault is not None}
        result = verdict(first, samples, self.cases)
        if result is not None and result[0] == "error":
            fault = result[1]
            where = f"{path}.{fault.field}" if fault.field else path
            text = f"{op}: {fault.message}" if op else fault.message
            raise ModelError(Diagnostic(fault.code, where, text, fault.hint))

    def kind(self, op: Op, args: dict[str, Any], leaves: dict[str, Leaf]) -> Kind:
        own = leaves.get("", leaves)
        return self.engine.kind(op, args, own)

    def outputs(
        self,
        path: str,
        kind: Kind,
        given: Sequence[Known],
        sizes: Sequence[Mapping[str, Any]],
    ) -> list[Known]:
        """What a node gives, for what flows in by the order of its arguments.

        Raises:
            ModelError: the node doesn't take that.
        """
        engine, op = self.engine, kind.op
        columns, faults = [], []
        for i, own in enumerate(sizes):
            values = tuple(known[i] for known in given)
            found = engine.outcome(kind, values, own, Lane())
            fault = found.fault
            if op.TRAIN and fault is None:
                fault = engine.outcome(kind, values, own, Lane(train=True)).fault
            columns.append(found.outputs)
            faults.append(fault)
        self.judge(path, op.op, faults)
        return [self._known(values) for values in zip(*columns, strict=True)]

    def _known(self, values: Known) -> Known:
        """The symbolic value with what the samples agree on, where JAX gave up."""
        first, *others = values
        arrays = [v for v in others if v is not None and v.shape is not None]
        if first is None or not first.unknown or len(arrays) != len(others):
            return values
        ranks = {len(v.shape or ()) for v in arrays}
        if len(ranks) != 1 or (
            first.shape is not None and len(first.shape) not in ranks
        ):
            return values
        shape: list[Any] = []
        for axis in range(ranks.pop()):
            size = None if first.shape is None else first.shape[axis]
            found = {v.shape[axis] for v in arrays if v.shape}
            lost = size is None or (is_symbolic(size) and first.unknown)
            if lost and len(found) == 1 and len(arrays) > 1:
                size = found.pop()
            shape.append(
                self.engine.symbols.opaque(unknown=True) if size is None else size
            )
        return (self.engine.values.array(shape, arrays[0].dtype), *others)

    def keeps_last(
        self,
        kind: Kind,
        given: Sequence[Known],
        sizes: Sequence[Mapping[str, Any]],
        output: int,
        size: int,
    ) -> bool:
        """True where the last axis of an output is that of the operands which end in
        `size`, whatever size that is."""
        symbol = self.engine.symbols.opaque(of="the size of a last axis")

        def ending(value: Value | None) -> Value | None:
            if value is None or not value.shape or value.literal is not None:
                return value
            if value.shape[-1] != size or is_symbolic(value.shape[-1]):
                return value
            shape = (*value.shape[:-1], symbol)
            return self.engine.values.array(shape, value.dtype, value.weak)

        changed = tuple(ending(known[0]) for known in given)
        found = self.engine.outcome(kind, changed, sizes[0], Lane())
        value = found.outputs[output]
        if found.fault is not None or value is None or not value.shape:
            return False
        return value.shape[-1] is symbol or bool(value.shape[-1] == symbol)


def sources(args: Args) -> list[str]:
    """The references of a node's arguments, in order."""
    return [arg.source for arg in flat(args) if arg.source is not None]


def args_of(op: Op) -> Args:
    """The operands and given slots of a resolved op, as `bind` would have them."""

    def arg(value: Any) -> Arg:
        if isinstance(value, str) and not is_expression(value):
            return Arg(value)
        return Arg(value=value)

    fields = op.fields()
    args: Args = {}
    for name in fields.operands:
        value = getattr(op, name)
        args[name] = [arg(v) for v in value] if isinstance(value, list) else arg(value)
    for name in fields.slots:
        if getattr(op, name) is not None:
            args[name] = arg(getattr(op, name))
    return args
