"""`GraphBuilder`: a whole Graph."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn, TypeVar, overload

from blox.schema import Graph, ModelError, Report, SpecError
from blox.schema.content import FORMAT
from blox.schema.diagnostics import BloxError, Diagnostic, quote
from blox.schema.expressions import ExpressionError
from blox.shapes.binding import input_dtype
from blox.shapes.check import check_shapes
from blox.shapes.declared import Declared, bounds_of, relations_of
from blox.shapes.engine import Engine
from blox.shapes.kinds import FLOAT
from blox.shapes.samples import symbolic
from blox.shapes.symbolic import Symbols

from .arguments import check_function, signature_of
from .bodies import Ops, named_bodies, with_ops
from .errors import shortened, with_lines
from .function import FunctionBuilder
from .origins import Origins
from .outputs import finish
from .sizes import Dim, Size, attribute, numbered, tree_of_number
from .trace import Stored, Trace
from .trees import Symbol, symbols, text_of, tree_of, value_of
from .unify import functions_of
from .values import Input, Value

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
        self._engine: Engine | None = None
        self._origins: Origins | None = None

    def __getattr__(self, name: str) -> Any:
        attributes = self.__dict__.get("attributes", {})
        if name not in attributes:
            have = ", ".join(attributes) or "none"
            raise AttributeError(
                f"expected an attribute of the Graph ({have}), found {name!r}"
            )
        return attributes[name]

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
            key: self._written(f"dims.{name}.{key}", value)
            for key, value in given.items()
            if value is not None
        }

    def constraint(self, text: str) -> None:
        """Relates dims of the entries: `b.constraint("cached >= seq")`.

        Call it before the first entry.
        """
        self._not_yet("constraints")
        self._constraints.append(text)

    @property
    def engine(self) -> Engine:
        assert self._engine is not None, "outside of an entry"
        return self._engine

    @property
    def origins(self) -> Origins:
        if self._origins is None:
            self._origins = Origins(self.engine, self.attribute_symbols)
        return self._origins

    def parameter(self, trace: Trace) -> FunctionBuilder:
        """What a function of the Graph gets as its first parameter."""
        return FunctionBuilder(trace)

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
            return lambda function: self._shortened(function, inputs)
        return self._shortened(function, inputs)

    def _shortened(self, function: F, inputs: dict[str, Input]) -> F:
        try:
            return self._entry(function, inputs)
        except BloxError as error:
            raise shortened(error) from None

    def _entry(self, function: F, inputs: dict[str, Input]) -> F:
        trace = Trace(self, function) if hasattr(function, "__name__") else None
        if trace is None:
            _fail(
                "", f"expected a function, found {quote(function)}", "@b.entry(x=...)"
            )
        check_function(trace, "", function)
        if trace.name in self._entries:
            trace.fault("", "expected a new entry, found this name already")
        names = self._parameters(trace, inputs)
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

    def _parameters(self, trace: Trace, inputs: Mapping[str, Input]) -> list[str]:
        _, *parameters = signature_of(trace.function).parameters.values()
        for parameter in parameters:
            if parameter.kind is parameter.KEYWORD_ONLY:
                trace.fault(
                    parameter.name,
                    f"expected an entry without attributes, found {parameter.name}",
                    "attributes of the graph are its hyper-parameters",
                )
        names = [parameter.name for parameter in parameters]
        for name in {**dict.fromkeys(names), **inputs}:
            where = f"inputs.{name}"
            if name not in names:
                have = ", ".join(names) or "none"
                trace.fault(where, f"expected an input of {trace.name} ({have})")
            if not isinstance(inputs.get(name), Input):
                found = quote(inputs[name]) if name in inputs else "nothing"
                hint = f'b.entry({name}=bx.Input(["batch", ...]))'
                trace.fault(where, f"expected a bx.Input, found {found}", hint)
        return names

    def _declare(self, trace: Trace) -> None:
        """The inputs of an entry: their shapes as declared, checked as a file is."""
        given = self.declared[trace.function]
        for name, declared in given.items():
            trace.declared[name] = self._declaration(trace, name, declared)
        first = next(iter(given), None)
        function = {
            "inputs": trace.declared,
            "outputs": {} if first is None else {"x": first},
        }
        graph = self._parsed({trace.name: function}, entries=[trace.name])
        if self._engine is None:
            self._engine = _engine(graph)
        inputs = graph.functions[trace.name].inputs
        known = Declared(inputs, graph.attributes)
        sizes = symbolic(known, list(inputs), self.engine.symbols)
        for name, declared in given.items():
            where = f"inputs.{name}"
            try:
                shape = sizes.shape(name, inputs[name].shape or [], graph.attributes)
            except ExpressionError as error:
                trace.fault(where, str(error))
            dtype = input_dtype(inputs[name].dtype, FLOAT)
            value = self.engine.values.array(shape, dtype)
            trace.inputs[name] = self._input(trace, name, declared, value)

    def _declaration(self, trace: Trace, name: str, given: Input) -> dict[str, Any]:
        where = f"{trace.name}.inputs.{name}"
        shape = given.shape
        if isinstance(shape, str) or not isinstance(shape, Sequence):
            raise SpecError.one(
                "builder-shape",
                where,
                f"expected a list of sizes, found {quote(shape)}",
                'such as ["batch", 3]; [] is the shape of a number',
            )
        for size in shape:
            if isinstance(size, str) and size in self.attributes:
                _fail(
                    where,
                    f"expected a dim with a name of its own, found {size}, which is an "
                    "attribute of the Graph",
                    f"b.{size} is the attribute",
                )
        declared: dict[str, Any] = {
            "shape": [_axis(where, size) for size in shape],
            "dtype": given.dtype,
        }
        declared |= {"optional": True} if given.optional else {}
        return declared | ({"doc": given.doc} if given.doc else {})

    def _input(self, trace: Trace, name: str, given: Input, known: Any) -> Value:
        if given.dtype == "key":
            return Value(name, trace, known, (), "key", given.optional)
        shape = [s for s in given.shape if s != "..."]
        sizes: list[Any] = []
        offset = len(known.shape) - len(shape)
        for axis, size in enumerate(known.shape):
            at = axis - offset if "..." in given.shape else axis
            stated = shape[at] if at >= 0 else "_"
            if type(size) is not int:
                named = isinstance(stated, str) and stated.isidentifier()
                if named and stated != "_":
                    trace.bind_dim(str(stated), size, (name, axis), None)
                sizes.append(trace.dim(size))
            else:
                sizes.append(self._size(stated, size))
        return Value(name, trace, known, tuple(sizes), optional=given.optional)

    def _size(self, stated: Any, size: int) -> Any:
        if isinstance(stated, Size):
            return stated
        if isinstance(stated, str) and stated.startswith("$"):
            tree = tree_of(stated, self.attribute_symbols.__getitem__)
            return numbered(size, tree)
        return size

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
            raise shortened(with_lines(error, traces)) from None

    def _ordered(self, entries: Sequence[str] | None) -> list[str]:
        names = list(self._entries)
        if not names:
            _fail("", "expected at least one entry", "add one by b.entry")
        if entries is None:
            return names
        if sorted(entries) != sorted(names):
            have = ", ".join(names)
            _fail("entries", f"expected {have} in some order, found others")
        return list(entries)

    def _checked(
        self, traces: Sequence[Trace], ops: Ops, metadata: Mapping[str, Any]
    ) -> Graph:
        functions, groups = functions_of(traces)
        bodies = named_bodies(ops, groups)
        graph = self._parsed(
            with_ops(functions, bodies),
            entries=[trace.name for trace in traces],
            metadata=metadata,
            ops=bodies,
        )
        graph.program()
        report = Report()
        check_shapes(graph, report)
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
            _fail(
                path,
                "expected dims and constraints before the first entry",
                "sizes are inferred with them",
            )

    def _written(self, path: str, value: Any) -> int | str:
        """A bound as a file has it, checked to be a number."""
        if isinstance(value, str):
            try:
                value_of(tree_of(value, self.attribute_symbols.__getitem__))
            except KeyError as error:
                _fail(path, f"expected an attribute of the Graph, found {error}")
            except ExpressionError as error:
                _fail(path, str(error))
            return value
        return _axis(path, value)


def _engine(graph: Graph) -> Engine:
    """The engine of a Graph that is being written, with its bounds and constraints."""
    bounds, relations = bounds_of(graph), relations_of(graph)
    named = [*bounds, *(n for r in relations for n in r.names)]
    dims = dict.fromkeys(n for n in named if n not in graph.attributes)
    symbols = Symbols(iter(dims), bounds, relations, graph.attributes)
    return Engine(symbols, math.inf)  # whoever writes a model may write a large one


def _plain(value: Any) -> Any:
    number = hasattr(value, "item") and getattr(value, "shape", None) == ()
    return value.item() if number else value


def _axis(path: str, size: Any) -> Any:
    """A size as a file has it."""
    tree = tree_of_number(size)
    if isinstance(size, Dim) or any(s.trace is not None for s in symbols(tree)):
        _fail(path, f"expected a size of the Graph, found {size!r} of a function")
    return (
        size if isinstance(size, (str, int)) and size is tree else f"${text_of(tree)}"
    )


def _fail(path: str, message: str, hint: str = "") -> NoReturn:
    raise SpecError(Diagnostic("builder", path, message, hint))
