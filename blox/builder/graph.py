"""`GraphBuilder`: a whole Graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, overload

from blox.schema import Graph, ModelError, Report
from blox.schema.content import FORMAT
from blox.schema.diagnostics import BloxError, quote
from blox.shapes.check import check_shapes
from blox.shapes.op_engine import OpEngine
from blox.shapes.values import Value as Known

from .bodies import Ops, named_bodies, with_ops
from .declarations import (
    declaration,
    declare,
    engine_of,
    fail,
    input_names,
    written_bound,
)
from .errors import at_users_line, with_lines
from .function import FunctionBuilder
from .functions import functions_of
from .origins import Origins
from .outputs import finish
from .python_function import check_function
from .sizes import attribute
from .stated import Written
from .trace import Stored, Trace
from .trees import Symbol
from .values import Input

F = TypeVar("F", bound=Callable[..., Any])
Bound = int | str | None


class GraphBuilder:
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
        self.name = name
        self._values = {k: _plain(v) for k, v in attributes.items()}
        self.attributes: dict[str, Any] = {
            k: attribute(k, v) for k, v in self._values.items()
        }
        """The hyper-parameters by name, as numbers that remember it."""
        self.attribute_symbols: dict[str, Symbol] = {
            k: v.tree for k, v in self.attributes.items()
        }
        self.declared: dict[Callable[..., Any], dict[str, Input]] = {}
        self.leaves: dict[tuple[str, ...], Stored] = {}
        self._entries: dict[str, Trace] = {}
        self._dim_bounds: dict[str, dict[str, int | str]] = {}
        self._constraints: list[str] = []
        self._engine: OpEngine | None = None
        self._origins: Origins | None = None

    @at_users_line
    def __getattr__(self, name: str) -> Any:
        attributes = self.__dict__.get("attributes", {})
        if name not in attributes:
            have = ", ".join(attributes) or "none"
            raise AttributeError(
                f"expected an attribute of the Graph ({have}), found {name!r}"
            )
        return attributes[name]

    @at_users_line
    def dim(
        self,
        name: str,
        *,
        min: Bound = None,
        max: Bound = None,
        multiple_of: Bound = None,
    ) -> None:
        """Bounds a dim of the entries: checked at the call, and known here.

        Call it before the first entry.
        """
        self._not_yet(f"dims.{name}")
        given = {"min": min, "max": max, "multiple_of": multiple_of}
        self._dim_bounds[name] = {
            key: written_bound(f"dims.{name}.{key}", value, self.attribute_symbols)
            for key, value in given.items()
            if value is not None
        }

    @at_users_line
    def constraint(self, text: str) -> None:
        """Relates dims of the entries: `b.constraint("cached >= seq")`.

        Call it before the first entry.
        """
        self._not_yet("constraints")
        self._constraints.append(text)

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
        before = dict(self.leaves)
        trace.leaves = self.leaves  # entries share one tree of parameters
        try:
            self._declare(trace)
            finish(trace, function(trace.f, *trace.inputs.values()))
        except BaseException:
            del self.declared[function]
            self.leaves = before
            raise
        self._entries[trace.name] = trace
        return function

    def _declare(self, trace: Trace) -> None:
        """The inputs of an entry: their shapes as declared, checked as a file is."""
        given = self.declared[trace.function]
        for name, declared in given.items():
            trace.declared[name] = declaration(trace, name, declared)
        first = next(iter(given), None)
        function = {
            "inputs": trace.declared,
            "outputs": {} if first is None else {"x": first},
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
        metadata = {
            "description": description,
            "license": license,
            "source": source,
            "citation": citation,
            "authors": list(authors),
            "tags": list(tags),
            "extra": extra or {},
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
        bodies = named_bodies(ops, groups)
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

    def _parsed(self, functions: dict[str, Any], **more: Any) -> Graph:
        return Graph.parse(
            {
                "format": FORMAT,
                "name": self.name,
                "attributes": self._values,
                "dims": self._dim_bounds,
                "constraints": self._constraints,
                "functions": functions,
                **more,
            }
        )

    def _not_yet(self, path: str) -> None:
        if self._engine is not None:
            fail(
                path,
                "expected dims and constraints before the first entry",
                "sizes are inferred with them",
            )


def _plain(value: Any) -> Any:
    number = hasattr(value, "item") and getattr(value, "shape", None) == ()
    return value.item() if number else value
