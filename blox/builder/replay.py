"""One run of a function of another Graph, which writes its nodes anew.

A function that was read from a file goes the way of one that was written in Python: the
same shapes, sizes, attributes and grouping of calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from blox.schema import ModelError
from blox.schema.content import Input as Content
from blox.schema.content import Shape
from blox.schema.diagnostics import Diagnostic
from blox.schema.fields import is_expression
from blox.schema.resolve.dims import is_dim_name
from blox.shapes.binding import bound

from .original import Node
from .sizes import plain, tree_of_number
from .source import Change, Source
from .trace import Trace
from .trees import Symbol, Tree, tree_of
from .values import Described, Value, Values


class Replay:
    """One run: writes the nodes of a function into a trace."""

    def __init__(
        self, source: Source, name: str, trace: Trace, arguments: Mapping[str, Any]
    ) -> None:
        self.source, self.name, self.trace = source, name, trace
        self.function = function = source.graph.functions[name]
        self.values: dict[str, Any] = {n: arguments.get(n) for n in function.inputs}
        trace.counts |= _numbers(function.nodes)
        self.trees: dict[str, Tree] = {
            name: tree_of_number(number) for name, number in self.source.numbers.items()
        }
        for name in function.attributes:
            self.trees[name] = tree_of_number(arguments[name])
        self.sizes = self._dims()
        is_entry = trace.parent is None
        if not is_entry:
            self._check()
        self.trees |= {name: tree_of_number(size) for name, size in self.sizes.items()}
        trace.names = self.trees
        if not is_entry:
            trace.declared = {n: self._stated(i) for n, i in function.inputs.items()}

    # Inputs ------------------------------------------------------------------------

    def _dims(self) -> dict[str, Any]:
        """The sizes of the dims, in the words of the trace."""
        found: dict[str, Any] = {}
        for name, given in self.function.inputs.items():
            value, shape = self.values[name], given.shape or []
            sizes = value.sizes if isinstance(value, Value) else None
            after = shape.index("...") if "..." in shape else len(shape)
            for axis, dim in enumerate(shape):
                at = axis if axis < after else axis - len(shape)
                if (
                    is_dim_name(dim)
                    and sizes is not None
                    and -len(sizes) <= at < len(sizes)
                ):
                    found.setdefault(dim, sizes[at])
        return found

    def _check(self) -> None:
        """Refuses what the function does not take: ranks, sizes, dtypes, bounds."""
        trace = self.trace
        inputs, symbols = self.function.inputs, trace.session.engine.symbols
        known = {
            n: v.known if isinstance(v, Value) else None for n, v in self.values.items()
        }
        numbers = {n: plain(v) for n, v in self.source.numbers.items()}
        own = {n: plain(trace.static[n]) for n in self.function.attributes}
        _, faults = bound(inputs, {**numbers, **own}, known, symbols)
        found = [(fault.field, fault.message) for fault in faults]
        for name, given in inputs.items():
            value = self.values[name]
            if not isinstance(value, Value):
                continue
            if (value.kind == "list") != (given.copies is not None):
                wanted = "an array" if given.copies is None else "a list"
                found.append((name, f"expected {wanted}, found a {value.kind}"))
            elif value.kind != "key":
                found += [
                    (name, text) for text in _wrong_dtype(given.dtype, value.dtype)
                ]
        by = f"{self.source.name}.{self.name}"
        if found:
            raise ModelError(
                Diagnostic(
                    "shape", f"{trace.path}.{name}", f"{text}, as {by} declares it"
                )
                for name, text in found
            )
        needs = self.source.needs
        if needs is not None and self.name in self.source.graph.entries:
            needs.check(self.source.graph, by, trace, self.sizes, self.source.numbers)

    def _stated(self, given: Content) -> dict[str, Any]:
        """What the function declares of an input, sizes as trees."""
        found: dict[str, Any] = {"dtype": given.dtype} if given.dtype else {}
        found |= {"doc": given.doc} if given.doc else {}
        if given.shape is not None:
            found["shape"] = self._shape(given.shape)
        return found

    def _shape(self, shape: Shape) -> list[Any]:
        names = {d: self._dim_name(d) for d in self.sizes}
        dims = {
            d: Symbol(n, getattr(self.sizes[d], "size", self.sizes[d]))
            for d, n in names.items()
        }

        def size(given: Any) -> Any:
            if is_expression(given):
                return tree_of(given, lambda n: dims[n] if n in dims else self.trees[n])
            return names.get(given, given)

        return [size(given) for given in shape or []]

    def _dim_name(self, dim: str) -> str:
        """What a dim is called in the Graph that is being written."""
        symbol = tree_of_number(self.sizes[dim])
        if isinstance(symbol, Symbol) and symbol.is_dim:
            return symbol.name
        return self.trace.free_dim(dim)

    # Nodes -------------------------------------------------------------------------

    def outputs(self) -> dict[str, Value]:
        for name, op in self.function.nodes.items():
            given = dict(self.source.plain[self.name]["nodes"][name])
            given.pop("op")
            node = Node(self.source, self.trace, self.values, name, op, given)
            change = self.source.changes.get((self.name, name))
            if change is None:
                self._keep(name, self._named(node, node()))
            else:
                self._keep(name, self._changed(node, change))
        found = {}
        for name, said in self.function.outputs.items():
            found[name] = self.values[said.value]
            if not said.is_bare:
                shape = None if said.shape is None else self._shape(said.shape)
                self.trace.described[name] = Described(
                    found[name], shape, said.dtype, said.next, said.doc
                )
        return found

    def _changed(self, node: Node, change: Change) -> Any:
        """What a user's function gives in place of a node, checked to be all of it."""
        result = change(self.trace.f, node)
        names = self._outputs_of(node)
        given = self._named(node, result)
        fits = isinstance(given, dict) and list(given) == names
        if not fits or not all(isinstance(value, Value) for value in given.values()):
            self.trace.fault(
                node.name,
                f"expected {getattr(change, '__name__', 'around')} to give what the node "
                f"does ({', '.join(names)}), found {type(result).__name__}",
                "return node() + ..., or a dict of its outputs",
            )
        return given

    def _named(self, node: Node, result: Any) -> Any:
        """Outputs of a node by name; anything else as it is."""
        if isinstance(result, Values):
            return dict(zip(result.names, result, strict=True))
        return (
            {self._outputs_of(node)[0]: result} if isinstance(result, Value) else result
        )

    def _outputs_of(self, node: Node) -> list[str]:
        op = self.function.nodes[node.name]
        callees, bodies = op.callees(), self.source.graph.ops
        name = callees[-1].function if callees else bodies.get(op.op, "")
        run = self.source.graph.functions.get(name)
        return list(op.outputs() if run is None else run.outputs)

    def _keep(self, name: str, parts: Mapping[str, Value]) -> None:
        self.values |= {f"{name}.{part}": value for part, value in parts.items()}
        if len(parts) == 1:
            self.values[name] = next(iter(parts.values()))


def _numbers(names: Iterable[str]) -> dict[str, int]:
    """The highest numbers of `add_2` and the like: names that are made up come behind."""
    found: dict[str, int] = {}
    for name in names:
        stem, _, number = name.rpartition("_")
        if number.isdecimal():
            found[stem] = max(int(number), found.get(stem, 0))
    return found


def _wrong_dtype(declared: str | None, found: Any) -> list[str]:
    if declared in (None, "key") or found is None:
        return []
    if declared == "float":
        import jax.numpy as jnp

        fits = jnp.issubdtype(found, jnp.floating)
    else:
        fits = str(found) == declared
    return [] if fits else [f"expected dtype {declared}, found {found}"]
