"""Cuts a part out of a Graph: a function as a call runs it, or a node as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ..content import Content, Input
from ..known import Known, Values
from ..names import RESERVED, is_name, name_of
from ..op import Op, ParamOp
from ..parameters import Leaf
from ..sizes import Unknown
from ..write.canonical import plain
from .absent import without
from .bounds import Relation
from .part import Paths
from .places import Place, Route, entry_of, place_of
from .program import Arg, Program
from .renaming import dims_of, renamed, used_names
from .trees import flatten

Data = dict[str, Any]

known_at: Callable[[Content, str, Route], Values] | None = None
"""What is known of the inputs and nodes of a function, as one call of it runs. `blox` sets
it: it needs JAX. Who uses `blox.schema` alone gets parts whose inputs have any shape."""


def part_of(
    graph: Content, program: Program, path: str, entry: str | None
) -> tuple[Data, Paths]:
    """A part as plain data of a Graph, and where its arrays come from.

    Args:
        path: of nodes, from the entry.
        entry: that is looked at, by default the first.

    Raises:
        SpecError: there is no such part.
    """
    start = entry_of(program.entries, entry)
    place = place_of(start, path)
    known = {} if known_at is None else known_at(graph, start.name, place.route)
    cut = _Cut(graph, program, place, known, path.rpartition(".")[2].partition("[")[0])
    if place.step is None:
        tree: Any = place.instance.tree
    else:
        tree = {
            n: t for n, t in place.instance.tree.items() if n in place.step.scope[:1]
        }
    paths: Paths = {}
    for own, _ in flatten(tree):
        whole = f"{place.path}.{own}" if place.prefix else own
        paths[own] = (whole, place.index)
    return cut.data(), paths


class _Cut:
    """Cuts a place out of a Graph."""

    def __init__(
        self,
        graph: Content,
        program: Program,
        place: Place,
        known: Values,
        called: str,
    ) -> None:
        self.graph, self.program, self.place = graph, program, place
        self.known, self.called = known, called
        self.instance = place.instance
        self.whole = plain(graph)
        self.dims = self._dims()

    def data(self) -> Data:
        function = self._function() if self.place.step is None else self._node()
        reached = list(self._reached(function))
        functions = {n: self.whole["functions"][n] for n in reached}
        function, own = self._freed(function, functions)
        name = (
            "main"
            if "main" not in functions and self.graph.name != "main"
            else self.instance.name
        )
        bound = self._bind(function)
        bounds = self._bounds(bound)
        used = set(used_names([function, functions, bounds]))
        attributes = {n: v for n, v in self.graph.attributes.items() if n in used} | own
        constraints = self._constraints({*bound, *self.graph.attributes})
        for text in constraints:
            names = Relation.parse(text).names
            attributes |= {n: v for n, v in self.graph.attributes.items() if n in names}
        ops = {
            node["op"]
            for f in (function, *functions.values())
            for node in f.get("nodes", {}).values()
        }
        return {
            "format": self.graph.format,
            "name": self._name({name, *functions, *ops}),
            "attributes": attributes,
            "dims": bounds,
            "constraints": constraints,
            "entries": [name],
            "ops": {n: f for n, f in self.graph.ops.items() if n in ops},
            "functions": {name: function, **functions},
            "metadata": self.whole.get("metadata", {}),
        }

    # The function -------------------------------------------------------------------

    def _function(self) -> Data:
        """The function that a call runs, its inputs as that gives them."""
        function = {**self.whole["functions"][self.instance.name]}
        function.pop("attributes", None)
        nodes = function.get("nodes", {})
        inputs = self.instance.function.inputs
        absent = {n for n, given in inputs.items() if self._is_untyped(n, given)}
        function["nodes"] = {
            n: {**without(node, self._op(n), absent), **self._sizes(n)}
            for n, node in nodes.items()
        }
        inputs = {n: given for n, given in inputs.items() if n not in absent}
        function["inputs"] = {
            name: self._input(
                given.model_dump(exclude_defaults=True), self._of(name, 0)
            )
            for name, given in inputs.items()
        }
        return function

    def _is_untyped(self, name: str, given: Input) -> bool:
        """True for what this call leaves out, and of which nothing says the type."""
        untyped = given.optional and given.dtype is None
        return untyped and bool(self.known) and self._of(name, 0) is None

    def _op(self, name: str) -> Op:
        return self.instance.function.nodes[name]

    def _sizes(self, name: str) -> Data:
        """The sizes of a node that others decide at the path of its arrays."""
        op = self._op(name)
        found: Data = {}
        if not isinstance(op, ParamOp) or not op.lacking():
            return found
        for array, leaf in op.with_unknown().parameters().items():
            path = (*self.place.prefix, *op.scope(name), array)
            there = _leaf(self.program.tree, path)
            for size, known in zip(
                leaf.shape, there.shape if there else (), strict=False
            ):
                if isinstance(size, Unknown) and size.text in op.lacking() and known:
                    found[size.text] = known
        return found

    def _node(self) -> Data:
        """A function of nothing but the node, whose inputs are what that gets."""
        step = self.place.step
        assert step is not None
        node = {**self.whole["functions"][self.instance.name]["nodes"][step.name]}
        inputs: Data = {}

        def given(name: str, arg: Arg) -> Any:
            if not arg.is_reference:
                value = arg.value if arg.text is None else arg.text
                return list(value) if isinstance(value, tuple) else value
            own = name if name != step.name else f"{name}_in"
            declared = self.instance.declared_of(arg)
            inputs[own] = self._input(declared, self._of(arg.source or "", arg.output))
            return own

        for field, group in step.groups.items():
            node[field] = {name: given(name, arg) for name, arg in group.items()}
        for field in step.args:
            node[field] = given(field, step.operand(field))
        first = {n: i for n, i in inputs.items() if not i.get("optional")}
        outputs = {out: f"{step.name}.{out}" for out in step.outputs}
        return {
            "inputs": first | inputs,
            "nodes": {step.name: node},
            "outputs": outputs,
        }

    def _of(self, name: str, output: int) -> Known | None:
        found = self.known.get(name, ())
        return found[output] if output < len(found) else None

    def _input(self, declared: Data, known: Known | None) -> Data:
        """An input of an entry, of what is declared and known of it."""
        if declared.get("dtype") == "key":
            return {**declared, "shape": []}
        dtype = None if known is None else known.dtype
        made = {
            "shape": self._shape(declared, known),
            "dtype": dtype or "float",
            **declared,
        }
        return made | {"shape": self._shape(declared, known)}

    def _shape(self, declared: Data, known: Known | None) -> list[Any]:
        shape = declared.get("shape")
        if known is None or known.shape is None:
            return ["..."] if shape is None else shape
        sizes: list[Any] = [self._size(size, declared) for size in known.shape]
        if shape is None or len(shape) != len(sizes) or "..." in shape:
            return sizes if shape is None else shape
        return [b if a == "_" else a for a, b in zip(shape, sizes, strict=True)]

    def _size(self, size: int | str | None, declared: Data) -> int | str:
        if isinstance(size, int):
            return size
        name = self.dims.get(size or "", size)
        entries = self.program.entries.values()
        known = name in self.dims.values() or any(name in e.dims for e in entries)
        fits = known and (size in self.dims or name not in self.dims.values())
        optional = declared.get("optional", False)
        return name if name is not None and fits and not optional else "_"

    # Names ------------------------------------------------------------------------------

    def _dims(self) -> dict[str, str]:
        """The dims of the function by what they are in the words of the entry."""
        found: dict[str, str] = {}
        for dim, (name, axis) in self.instance.dims.items():
            known = self._of(name, 0)
            size = None if known is None or known.shape is None else known.shape[axis]
            if isinstance(size, str):
                found.setdefault(size, dim)
        return found

    def _freed(self, function: Data, others: Data) -> tuple[Data, Data]:
        """The function with its attributes named apart from all others, and these."""
        taken = {*self.graph.attributes, *RESERVED}
        for other in others.values():
            taken |= {*other.get("attributes", []), *dims_of(other)}
        names: dict[str, str] = {}
        for name in self.instance.own:
            free, count = name, 1
            while free in taken or free in names.values():
                count += 1
                free = name_of(f"{name[:56]}_{count}")
            names[name] = free
        own = {names[n]: value for n, value in self.instance.own.items()}
        changed = {a: b for a, b in names.items() if a != b}
        return (renamed(function, changed) if changed else function), own

    def _name(self, taken: set[str]) -> str:
        wanted = name_of(f"{self.graph.name}_{self.called}")
        free = is_name(wanted) and wanted not in taken and wanted not in RESERVED
        return wanted if free else self.graph.name

    def _reached(self, function: Data) -> Iterator[str]:
        """The functions that it runs, each once."""
        step = self.place.step
        nodes = self.instance.function.nodes
        found: dict[str, None] = {}
        todo = [nodes[step.name]] if step is not None else list(nodes.values())
        while todo:
            op = todo.pop()
            names = [callee.function for callee in op.callees()]
            names += [self.graph.ops[op.op]] if op.op in self.graph.ops else []
            for name in names:
                if name not in found:
                    found[name] = None
                    todo += self.graph.functions[name].nodes.values()
        return (name for name in self.graph.functions if name in found)

    # Dims -------------------------------------------------------------------------------

    def _bind(self, function: Data) -> set[str]:
        """The dims that inputs bind."""
        inputs = function.get("inputs", {}).values()
        shapes = [i["shape"] for i in inputs if not i.get("optional")]
        return {
            s for shape in shapes for s in shape if isinstance(s, str) and is_name(s)
        }

    def _bounds(self, bound: set[str]) -> Data:
        dims = self.whole.get("dims", {})
        named = {self.dims.get(name, name): given for name, given in dims.items()}
        return {name: given for name, given in named.items() if name in bound}

    def _constraints(self, known: set[str]) -> list[str]:
        texts = [
            renamed(text, self.dims, always=True) for text in self.graph.constraints
        ]
        return [t for t in texts if known.issuperset(Relation.parse(t).names)]


def _leaf(tree: Any, path: tuple[str | int, ...]) -> Leaf | None:
    """The leaf at a path, None where there is none."""
    for name in path:
        if isinstance(tree, Leaf):
            return None
        inside = name in tree if isinstance(tree, dict) else True
        tree = tree[name] if inside else {}
    return tree if isinstance(tree, Leaf) else None
