"""`GraphBuilder`: a whole Graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar, overload

from blox.schema import Graph, ModelError, Report, SpecError
from blox.schema.content import FORMAT
from blox.schema.diagnostics import Diagnostic, quote
from blox.schema.expressions import ExpressionError, evaluate
from blox.shapes.check import check_shapes

from .bodies import Ops, named, with_ops
from .function import FunctionBuilder
from .lanes import Lanes, Shapes
from .records import Record
from .session import Leaves, Traced
from .signatures import signature_of
from .trace import trace
from .values import Flow, Input, check_list
from .writer import Writer

F = TypeVar("F", bound=Callable[..., Any])


class GraphBuilder:
    """Writes a Graph from Python functions.

        b = bx.GraphBuilder("classifier", features=64, classes=10)

        @b.entry(x=bx.Input(["batch", "$features"]))
        def main(f: bx.FunctionBuilder, x: bx.Value) -> bx.Value:
            x = f.linear("hidden", x, out_features="$2 * features")
            return f.linear("out", f.relu("act", x), out_features="$classes")

        graph = b.graph(license="MIT")

    Args:
        name: the model's name.
        attributes: its hyper-parameters, `"$name"` in every function.
    """

    def __init__(self, name: str, /, **attributes: int | float) -> None:
        self.name = name
        self.attributes = dict(attributes)
        self.inputs: dict[str, dict[str, Input]] = {}
        """The declared inputs of the entries."""
        self.records: dict[str, Record] = {}
        self.traced: dict[Any, Traced[Any]] = {}
        self.active: list[str] = []
        self.leaves: Leaves = {}
        """What the entries so far keep at a path."""
        self._dim_texts: dict[str, dict[str, int | str]] = {}
        self._constraints: list[str] = []
        self._shapes: Shapes | None = None
        self._lanes: Lanes | None = None

    def dim(
        self,
        name: str,
        *,
        min: int | str | None = None,
        max: int | str | None = None,
        multiple_of: int | str | None = None,
    ) -> None:
        """Bounds a dim of the entries: checked at the call, and known here.

        Call it before the first entry.
        """
        self._not_yet(f"dims.{name}")
        given = {"min": min, "max": max, "multiple_of": multiple_of}
        texts = {k: v for k, v in given.items() if v is not None}
        for key, value in texts.items():
            self._number(f"dims.{name}.{key}", value)
        self._dim_texts[name] = texts

    def constraint(self, text: str) -> None:
        """Relates dims of the entries: `b.constraint("cached >= seq")`.

        Call it before the first entry.
        """
        self._not_yet("constraints")
        self._constraints.append(text)

    @property
    def lanes(self) -> Lanes:
        """The choices of sizes with which the entry at hand is written."""
        assert self._lanes is not None, "outside of an entry"
        return self._lanes

    def parameter(self, writer: Writer) -> FunctionBuilder:
        """What a function of the Graph gets as its first parameter."""
        return FunctionBuilder(writer)

    def _lanes_of(self, entry: str, inputs: dict[str, Input]) -> Lanes:
        declared: dict[str, Any] = {}
        for name, given in inputs.items():
            check_list(f"{entry}.inputs.{name}", given.shape)
            declared[name] = {"shape": list(given.shape), "dtype": given.dtype}
        first = next(iter(inputs), None)
        outputs = {} if first is None else {"x": first}
        # The Graph's own checks say what is wrong with names and declarations.
        function = {"inputs": declared, "outputs": outputs}
        made = self._plain_graph({entry: function}, entries=[entry])
        if self._shapes is None:
            self._shapes = Shapes(made)
        return self._shapes.lanes(made.functions[entry].inputs)

    @overload
    def entry(self, function: F, /, **inputs: Input) -> F: ...
    @overload
    def entry(self, /, **inputs: Input) -> Callable[[F], F]: ...
    def entry(
        self, function: Callable[..., Any] | None = None, /, **inputs: Input
    ) -> Any:
        """Adds a function that users call; a decorator, or `b.entry(main, x=...)`.

        Args:
            function: `def main(f, x)`: the builder, then the inputs.
            inputs: a declaration for every input.

        Returns:
            The Python function as it was, to be called from other entries too.

        Raises:
            SpecError: the Graph that it writes is not sound. ModelError: a node does
                not take the shapes that flow into it.
        """
        if function is None:
            return lambda function: self._entry(function, inputs)
        return self._entry(function, inputs)

    def _entry(self, function: F, inputs: dict[str, Input]) -> F:
        signature = signature_of(function)
        if signature.name in self.inputs:
            raise _fault(
                signature.name, "expected a new entry, found this name already"
            )
        if signature.attributes:
            raise _fault(
                signature.name,
                f"expected an entry without attributes, found {signature.attributes[0]}",
                "attributes of the graph are its hyper-parameters",
            )
        for name in {**dict.fromkeys(signature.inputs), **inputs}:
            if name not in inputs:
                hint = f'b.entry({name}=bx.Input(["batch", ...]))'
                raise _fault(
                    f"{signature.name}.inputs.{name}", "expected its declaration", hint
                )
            if not isinstance(inputs[name], Input):
                raise _fault(
                    f"{signature.name}.inputs.{name}",
                    f"expected a bx.Input, found {quote(inputs[name])}",
                    'bx.Input(["batch", 8]), or of another shape',
                )
            if name not in signature.inputs:
                raise _fault(
                    f"{signature.name}.inputs.{name}",
                    f"expected an input of {signature.name} ({', '.join(signature.inputs)})",
                )
        self.inputs[signature.name] = {n: inputs[n] for n in signature.inputs}
        try:
            self._lanes = self._lanes_of(signature.name, self.inputs[signature.name])
            flows = {n: self._flow(signature.name, n) for n in signature.inputs}
            trace(self, function, flows, {})
        except BaseException:
            del self.inputs[signature.name]
            raise
        return function

    def _flow(self, entry: str, name: str) -> Flow:
        given = self.inputs[entry][name]
        known = self.lanes.input(f"{entry}.inputs.{name}", name)
        if given.dtype == "key":
            return Flow(known, kind="key", optional=given.optional)
        flow = Flow(known, optional=given.optional)
        fixed = flow.shape and isinstance(flow.shape[-1], int)
        return replace(flow, last=given.shape[-1] if fixed else None)

    def graph(
        self,
        *,
        entries: Sequence[str] | None = None,
        ops: Ops | None = None,
        description: str = "",
        license: str = "",
        source: str = "",
        citation: str = "",
        authors: Sequence[str] = (),
        tags: Sequence[str] = (),
        extra: dict[str, str | int | float | bool] | None = None,
    ) -> Graph:
        """The Graph, checked whole.

        Args:
            entries: another order of the entries; the first is what `bx.build` builds.
            ops: the functions that are bodies of ops, by name of the op: a call of such
                a function is written as a node of the op.
            description: what the model is. The others: what people want to know of it.

        Raises:
            SpecError: every fault of meaning in one error. ModelError: every fault of
                shapes, those of training and of absent inputs too.
        """
        names = list(self.inputs)
        if not names:
            raise _fault("", "expected at least one entry", "add one by b.entry")
        if entries is not None:
            if sorted(entries) != sorted(names):
                have = ", ".join(names)
                raise _fault("entries", f"expected {have} in some order, found others")
            names = list(entries)
        metadata = {
            "description": description,
            "license": license,
            "source": source,
            "citation": citation,
            "authors": list(authors),
            "tags": list(tags),
            "extra": extra or {},
        }
        functions = {n: _plain(self.records[n]) for n in self._order(names)}
        bodies = named(ops or {}, functions)
        functions = with_ops(functions, bodies)
        made = self._plain_graph(
            functions, entries=names, metadata=metadata, ops=bodies
        )
        made.program()
        report = Report()
        check_shapes(made, report)
        if not report.ok:
            raise ModelError(report.errors)
        return made

    def _plain_graph(self, functions: dict[str, Any], **more: Any) -> Graph:
        data = {
            "format": FORMAT,
            "name": self.name,
            "attributes": self.attributes,
            "dims": self._dim_texts,
            "constraints": self._constraints,
            "functions": functions,
            **more,
        }
        return Graph.parse(data)

    def _order(self, entries: list[str]) -> list[str]:
        """The entries and what they call, each function where it is first called."""
        order: dict[str, None] = {}

        def visit(name: str) -> None:
            if name in order:
                return
            order[name] = None
            for callee in self.records[name].callees:
                visit(callee)

        for name in entries:
            visit(name)
        return list(order)

    def _not_yet(self, path: str) -> None:
        if self._shapes is not None:
            raise _fault(
                path,
                "expected dims and constraints before the first entry",
                "sizes are inferred with them",
            )

    def _number(self, path: str, value: int | str) -> int:
        if isinstance(value, int):
            return value
        try:
            return int(evaluate(value, self.attributes))
        except ExpressionError as error:
            raise _fault(path, str(error)) from None


def _plain(record: Record) -> dict[str, Any]:
    return {
        "doc": record.doc,
        "attributes": record.attributes,
        "inputs": record.inputs,
        "nodes": record.nodes,
        "outputs": record.outputs,
    }


def _fault(path: str, message: str, hint: str = "") -> SpecError:
    return SpecError(Diagnostic("builder", path, message, hint))
