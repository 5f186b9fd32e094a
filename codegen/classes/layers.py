"""Classes of ops that own arrays: a constructor of sizes, and the op over its arrays."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ...schema.initializers import Ones, Zeros
from ...schema.parameters import Leaf
from ...schema.start import Start
from ..emit.table import jax_initialiser
from ..library.specialize import Carried
from ..library.use import Cut
from ..nodes import call, clone, is_same, name
from ..plan import dtype_node
from .keys import Keys
from .members import Layer
from .sizes import filled, given_sizes, shapes_by_attributes, sizes_in


@dataclass(eq=False)
class LayerClass:
    """A class of the file for the nodes of one op, of which each gives the same arrays
    as operands. Nothing is asked of it before it has all its layers.
    """

    title: str
    function: ast.FunctionDef
    cut: Cut
    layers: list[Layer] = field(default_factory=list)

    @cached_property
    def leaves(self) -> dict[str, Leaf]:
        """The arrays of its nodes, which some may be without."""
        return {n: leaf for layer in self.layers for n, leaf in layer.leaves.items()}

    @cached_property
    def optional(self) -> set[str]:
        return {n for n in self.leaves if any(n not in x.leaves for x in self.layers)}

    @cached_property
    def shapes(self) -> dict[str, ast.expr]:
        """The shapes of its arrays, by the arguments of the constructor."""
        found: dict[str, ast.expr] = {}
        for layer in self.layers:
            if layer.leaves.keys() <= found.keys():
                continue
            op = filled(layer.step.op, layer.leaves)
            shapes = shapes_by_attributes(op, self._fixed)
            found |= {n: shapes[n] for n in layer.leaves if n not in found}
        return found

    @cached_property
    def _fixed(self) -> list[str]:
        """Attributes that are sizes, of one value that nobody has to give."""
        fields = type(self.layers[0].step.op).model_fields
        ops = [layer.step.op for layer in self.layers]
        return [
            n
            for n, f in fields.items()
            if f.default is not None and len({repr(getattr(op, n)) for op in ops}) == 1
        ]

    @cached_property
    def sizes(self) -> list[str]:
        """The arguments that are sizes."""
        return sizes_in(self.shapes, self.layers[0].step.op)

    @cached_property
    def attributes(self) -> list[str]:
        """The attributes of the op that its function still takes."""
        kinds = {a.arg for a in self.function.args.kwonlyargs}
        return [n for n in attributes_of(self.layers[0]) if n in kinds]

    @cached_property
    def kinds(self) -> dict[str, str]:
        """The types of these."""
        arguments = self.function.args.kwonlyargs
        types = {a.arg: a.annotation or name("int") for a in arguments}
        return {
            n: "int" if n in self.sizes else ast.unparse(types[n])
            for n in self.attributes
        }

    @cached_property
    def starts(self) -> dict[str, Start]:
        """How its arrays start, most of them."""
        found: dict[str, list[Start]] = {}
        for layer in self.layers:
            for n, leaf in layer.leaves.items():
                found.setdefault(n, []).append(leaf.init)
        return {n: max(inits, key=inits.count) for n, inits in found.items()}

    @cached_property
    def varied(self) -> list[str]:
        """The arrays whose initialiser the constructor takes."""
        return [
            n
            for n, start in self.starts.items()
            if any(n in x.leaves and x.leaves[n].init != start for x in self.layers)
        ]

    @cached_property
    def draws(self) -> bool:
        """True where an array is drawn from a key."""
        starts = self.starts.items()
        return any(not is_plain(start) or n in self.varied for n, start in starts)

    def arguments(self, layer: Layer) -> tuple[list[ast.expr], dict[str, ast.expr]]:
        """What a node gives to the constructor, but for a key."""
        sizes = given_sizes(layer, self.sizes)
        keywords: dict[str, ast.expr] = {}
        for n in self.attributes:
            value = self.cut.argument(n, layer.use.attributes[n])
            default = self.cut.defaults.get(n)
            if n not in sizes and (default is None or not is_same(default, value)):
                keywords[n] = value
        for n in self.leaves:
            if n in self.optional and n not in layer.leaves:
                keywords[f"use_{n}"] = ast.Constant(False)
            elif n in self.varied:
                keywords[f"{n}_init"] = jax_initialiser(layer.leaves[n].init)
        return [*sizes.values()], keywords


def attributes_of(layer: Layer) -> list[str]:
    """The attributes that the function of an op takes."""
    return [n for n in layer.use.attributes if n != "train"]


def layer_values(layer: Layer) -> Iterator[ast.expr]:
    """What the constructor of a node's class speaks of."""
    op = filled(layer.step.op, layer.leaves)
    names = sizes_in(shapes_by_attributes(op), op)
    yield from given_sizes(layer, names).values()
    yield from (layer.use.attributes[n] for n in attributes_of(layer))


def is_plain(start: Start) -> bool:
    """True of an initialiser that JAX has a function without keys for."""
    return isinstance(start, Zeros | Ones)


def drawn(
    leaf: Leaf, shape: ast.expr, keys: Keys, init: ast.expr | None = None
) -> ast.expr:
    """A new array: zeros, ones, or drawn from a key."""
    dtype = [] if leaf.dtype == "float" else [dtype_node(leaf.dtype)]
    if init is None and is_plain(leaf.init):
        return call(f"jnp.{leaf.init.name}", [shape, *dtype])
    start = jax_initialiser(leaf.init) if init is None else init
    return call(start, [keys.array(), shape, *dtype])


def layer_classes(layers: Iterator[Layer], carried: Carried) -> dict[Layer, LayerClass]:
    """The classes of nodes, by node; nodes of one op share one, if they get the same
    operands, train the same arrays, and these have shapes of the same attributes.
    """
    classes: dict[tuple[str, ...], list[tuple[dict[str, str], LayerClass]]] = {}
    found: dict[Layer, LayerClass] = {}
    for layer in layers:
        frozen = sorted(n for n, leaf in layer.leaves.items() if leaf.frozen)
        key = (layer.use.source.name, *sorted(layer.use.slots), "", *frozen)
        shapes = shapes_by_attributes(filled(layer.step.op, layer.leaves))
        forms = {n: ast.dump(s) for n, s in shapes.items() if n in layer.leaves}
        alike = classes.setdefault(key, [])
        same = (
            pair
            for pair in alike
            if all(pair[0].get(n, form) == form for n, form in forms.items())
        )
        if (pair := next(same, None)) is None:
            cut = carried.cut(layer.use.source.name)
            pair = ({}, LayerClass("", clone(cut.function), cut))
            alike.append(pair)
        pair[0].update(forms)
        pair[1].layers.append(layer)
        found[layer] = pair[1]
    return found


def body_of(
    of: LayerClass, stored: Mapping[str, ast.expr], titles: Mapping[str, str]
) -> ast.FunctionDef:
    """The op's function as `__call__`, with its arrays and attributes those of self.

    Args:
        of: the class.
        stored: how each array is read.
        titles: the names of carried functions in the file.
    """
    function = clone(of.function)
    arguments = function.args
    gone = {*stored, *of.attributes}
    own = name("self")
    values: dict[str, ast.expr] = {n: ast.Attribute(own, n) for n in of.attributes}
    changed = {
        n.id
        for s in function.body
        for n in ast.walk(s)
        if isinstance(n, ast.Name) and isinstance(getattr(n, "ctx", None), ast.Store)
    }
    lead: list[ast.stmt] = []
    for n, value in stored.items():
        if n in of.optional or n in changed:
            lead.append(ast.Assign([name(n)], _maybe(value, n, of)))
        else:
            values[n] = value
    positional = list(arguments.args)
    defaults = dict(
        zip([a.arg for a in positional][::-1], arguments.defaults[::-1], strict=False)
    )
    arguments.args = [ast.arg("self"), *(a for a in positional if a.arg not in gone)]
    arguments.defaults = [defaults[a.arg] for a in arguments.args if a.arg in defaults]
    pairs = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    kept = [(a, d) for a, d in pairs if a.arg not in gone]
    arguments.kwonlyargs = [a for a, _ in kept]
    arguments.kw_defaults = [d for _, d in kept]
    put = _Put(values, titles)
    body = [put.visit(s) for s in function.body]
    docstring = [
        s
        for s in body[:1]
        if isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant)
    ]
    function.body = [*docstring, *lead, *body[len(docstring) :]]
    function.name = "__call__"
    return function


def _maybe(value: ast.expr, n: str, of: LayerClass) -> ast.expr:
    """An array that may be absent, which some libraries read in two steps."""
    if n not in of.optional or not isinstance(value, ast.Subscript):
        return value
    absent = ast.Compare(value.value, [ast.Is()], [ast.Constant(None)])
    return ast.IfExp(absent, ast.Constant(None), value)


class _Put(ast.NodeTransformer):
    """Values in place of names, and functions by the names that they have in the file."""

    def __init__(
        self, values: Mapping[str, ast.expr], titles: Mapping[str, str]
    ) -> None:
        self.values = values
        self.titles = titles

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in self.values:
            return clone(self.values[node.id])
        node.id = self.titles.get(node.id, node.id)
        return node
