"""`GraphBuilder`: a whole Graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, overload

from blox.schema import Graph, ModelError, Report
from blox.schema.diagnostics import BloxError, quote
from blox.shapes.check import check_shapes
from blox.shapes.op_engine import OpEngine
from blox.shapes.values import Value as Known

from .bodies import Ops, named_bodies, with_ops
from .declarations import declaration, declare, engine_of, fail, input_names
from .declaring import Declaring
from .errors import at_users_line, with_lines
from .function import FunctionBuilder
from .functions import functions_of
from .included import bodies_of
from .needs import Unsettled
from .origins import Origins
from .outputs import finish
from .python_function import check_function
from .stated import Written
from .trace import Stored, Trace
from .values import Input

F = TypeVar("F", bound=Callable[..., Any])


class GraphBuilder(Declaring):
    """Writes a Graph from Python functions.

        b = bx.GraphBuilder("classifier", features=64, classes=10)

        @b.entry(x=bx.Input(["batch", b.features]))
        def main(f: bx.F, x: bx.Value) -> bx.Value:
            x = f.relu(f.linear("hidden", x, 2 * b.features))
            return f.linear("out", x, b.classes)

        graph = b.graph(license="MIT")

    Args:
        name: the model's name.
        attributes: its hyper-parameters. `b.features` is the number 64, and what is
            calculated with it is written as an expression: `"$2 * features"`.
    """

    def __init__(self, name: str, /, **attributes: int | float) -> None:
        super().__init__(name, **attributes)
        self.leaves: dict[tuple[str, ...], Stored] = {}
        self._entries: dict[str, Trace] = {}
        self._origins: Origins | None = None

    @property
    def engine(self) -> OpEngine:
        assert self._engine is not None, "outside of an entry"
        return self._engine

    def sizes(self, node: Written, outputs: Sequence[Known | None]) -> list[Any]:
        """The sizes of a node's outputs, with their expressions."""
        if self._origins is None:
            self._origins = Origins(self.engine, self.attribute_symbols)
        return self._origins.sizes(node, outputs)

    def parameter(self, trace: Trace) -> FunctionBuilder:
        """What a function of the Graph gets as its first parameter."""
        return FunctionBuilder(trace)

    @overload
    def entry(self, function: F, /, **inputs: Input) -> F: ...
    @overload
    def entry(self, /, **inputs: Input) -> Callable[[F], F]: ...
    @at_users_line
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
            return at_users_line(lambda function: self._entry(function, inputs))
        return self._entry(function, inputs)

    def _entry(self, function: F, inputs: dict[str, Input]) -> F:
        trace = Trace(self, function) if hasattr(function, "__name__") else None
        if trace is None:
            fail("", f"expected a function, found {quote(function)}", "@b.entry(x=...)")
        check_function(trace, "", function)
        if trace.name in self._entries:
            trace.fault("", "expected a new entry, found this name already")
        names = input_names(trace, inputs)
        self.declared[function] = {name: inputs[name] for name in names}
        before = self._engine, self._origins, dict(self.leaves), self._needs.state()
        try:
            traces = self._traced([function])
        except BaseException:
            del self.declared[function]
            self._engine, self._origins, self.leaves, needs = before
            self._needs.restore(needs)
            raise
        self._entries |= {made.name: made for made in traces}
        return function

    def _traced(self, functions: Sequence[Callable[..., Any]]) -> list[Trace]:
        """Runs of entries; of all there are where an included Graph bounds a dim anew."""
        while True:
            try:
                return [self._run(Trace(self, function)) for function in functions]
            except Unsettled:
                self._needs.settle(self._values)
            self._engine, self._origins, self.leaves = None, None, {}
            earlier = [trace.function for trace in self._entries.values()]
            functions = list(dict.fromkeys([*earlier, *functions]))

    def _run(self, trace: Trace) -> Trace:
        trace.leaves = self.leaves  # entries share one tree of parameters
        self._declare(trace)
        finish(trace, trace.function(trace.f, *trace.inputs.values()))
        return trace

    def _declare(self, trace: Trace) -> None:
        """The inputs of an entry: their shapes as declared, checked as a file is."""
        given = self.declared[trace.function]
        for name, declared in given.items():
            trace.declared[name] = declaration(trace, name, declared)
        # A file has no function without an output: of one without inputs that is a node.
        node = {"op": "constant", "value": 0, "dtype": "int32"}
        function = {
            "inputs": trace.declared,
            "nodes": {} if given else {"none": node},
            "outputs": {"x": next(iter(given), "none")},
        }
        graph = self._parsed({trace.name: function}, entries=[trace.name])
        if self._engine is None:
            self._engine = engine_of(graph)
        declare(trace, given, graph)

    @at_users_line
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
        extra: dict[str, Any] | None = None,
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
        metadata = {
            "description": description,
            "license": license,
            "source": source,
            "citation": citation,
            "authors": list(authors),
            "tags": list(tags),
            "extra": {**self._notes, **(extra or {})},
        }
        traces = [self._entries[name] for name in self._ordered(entries)]
        try:
            return self._checked(traces, ops or {}, metadata)
        except BloxError as error:
            raise with_lines(error, traces) from None

    def _ordered(self, entries: Sequence[str] | None) -> list[str]:
        names = list(self._entries)
        if not names:
            fail("", "expected at least one entry", "add one by b.entry")
        if entries is None:
            return names
        if sorted(entries) != sorted(names):
            have = ", ".join(names)
            fail("entries", f"expected {have} in some order, found others")
        return list(entries)

    def _checked(
        self, traces: Sequence[Trace], ops: Ops, metadata: Mapping[str, Any]
    ) -> Graph:
        functions, groups = functions_of(traces, list(ops.values()))
        bodies = bodies_of(self._included.values(), groups)
        bodies |= named_bodies(ops, groups)
        graph = self._parsed(
            with_ops(functions, bodies),
            entries=[trace.name for trace in traces],
            metadata=metadata,
            ops=bodies,
        )
        graph.program()
        report = Report()
        check_shapes(graph, report, self._engine)
        if not report.ok:
            raise ModelError(report.errors)
        return graph
