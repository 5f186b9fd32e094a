"""A library of modules: how its classes and their constructors are written."""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

from ...schema.parameters import Leaf
from ...schema.resolve.program import Instance
from ..emit.sizes import Numbers
from ..library.allowed import Allowed
from ..nodes import assign, call, dotted, function, literal, name
from ..plan import Plan
from .keys import Keys
from .known import Classes
from .layers import LayerClass, body_of, drawn
from .members import Blueprint, Layer, Member, Part, Stored, is_list, is_mixed
from .methods import Methods
from .parts import Helper

Arguments = list[tuple[str, str, ast.expr | None]]


class Target(ABC):
    """One library. A new one is made for each file."""

    NAME: ClassVar[str]
    MODULE: ClassVar[str]
    """The base of its classes."""
    KEY: ClassVar[tuple[str, str]]
    """What a constructor takes to draw arrays, and its type."""
    EMITS: ClassVar[Allowed]
    """What its files import and speak of beside JAX."""
    TAKEN: ClassVar[frozenset[str]] = frozenset()
    """What attributes of its modules can't be called."""
    KEYS: ClassVar[type[Keys]]
    METHODS: ClassVar[type[Methods]]
    HELPERS: ClassVar[Mapping[str, type[Helper]]]
    """What files have of the library's own where they speak of it, by name."""
    LOAD: ClassVar[type[Helper]]

    def __init__(self, classes: Classes) -> None:
        self.classes = classes

    # What libraries differ in

    @abstractmethod
    def usage(self, title: str, inputs: Sequence[str], entry: Instance) -> str:
        """A line that calls the first entry of a `model`."""

    def library(self, layer: Layer) -> ast.Call | None:
        """The library's own layer of a node, without a key; None where it has none."""
        return None

    @abstractmethod
    def array(self, leaf: Leaf, value: ast.expr) -> ast.expr:
        """What is assigned to an attribute that is an array."""

    @abstractmethod
    def read(self, n: str, leaf: Leaf) -> ast.expr:
        """How a method reads an array of its class."""

    def op_method(self, method: ast.FunctionDef) -> ast.FunctionDef:
        """The method of an op's class."""
        return method

    def fields(
        self, kinds: Mapping[str, str], static: Mapping[str, str]
    ) -> list[ast.stmt]:
        """The attributes of a class by type, where the library wants them declared."""
        return []

    def group(self, members: Mapping[str, ast.expr]) -> ast.expr:
        """Modules by names that are no attributes."""
        return ast.Dict([literal(n) for n in members], [*members.values()])

    def items(self, members: Sequence[ast.expr]) -> ast.expr:
        """Modules by number."""
        return ast.List([*members])

    def mixed(self, n: str, value: ast.expr, kind: str) -> ast.stmt:
        """An attribute that is a group of modules of several kinds, a dict or list."""
        return set_self(n, value)

    @abstractmethod
    def stacked(
        self, title: str, given: Mapping[str, ast.expr], count: ast.expr, keys: Keys
    ) -> ast.expr:
        """Several modules as one, whose arrays begin with an axis of them."""

    @abstractmethod
    def listed(
        self,
        title: str,
        given: Mapping[str, ast.expr],
        count: ast.expr,
        keys: Keys,
        i: ast.Name | None,
    ) -> ast.expr:
        """Several modules in a list; `given` speaks of the number of one as `i`."""

    # Classes of ops

    def layer_class(self, of: LayerClass) -> ast.ClassDef:
        """The class of an op."""
        stored = {n: self.read(n, leaf) for n, leaf in of.leaves.items()}
        titles = self.classes.module.carried.titles
        method = self.op_method(body_of(of, stored, titles))
        docstring = [s for s in method.body[:1] if _is_text(s)]
        method.body = method.body[len(docstring) :]
        kinds = {n: "Array | None" if n in of.optional else "Array" for n in of.leaves}
        body = [*docstring, *self.fields(kinds, of.kinds), self._layer_init(of), method]
        return class_of(of.title, self.MODULE, body)

    def _layer_init(self, of: LayerClass) -> ast.FunctionDef:
        lists = type(of.layers[0].step.op).fields().lists
        sizes: Arguments = [
            (n, "tuple[int, ...]" if n in lists else "int", None) for n in of.sizes
        ]
        keywords: Arguments = [
            (n, kind, of.cut.defaults.get(n))
            for n, kind in of.kinds.items()
            if n not in of.sizes
        ]
        keywords += [(f"use_{n}", "bool", literal(True)) for n in sorted(of.optional)]
        keywords += [(f"{n}_init", "Callable[..., Array]", None) for n in of.varied]
        if of.draws:
            keywords.append((*self.KEY, None))
        keys = self.KEYS()
        body: list[ast.stmt] = [set_self(n, name(n)) for n in of.attributes]
        shapes = of.shapes
        for n, leaf in of.leaves.items():
            init = name(f"{n}_init") if n in of.varied else None
            value = self.array(leaf, drawn(leaf, shapes[n], keys, init))
            if n in of.optional:
                value = ast.IfExp(name(f"use_{n}"), value, ast.Constant(None))
            body.append(set_self(n, value))
        return constructor(sizes, keywords, keys.finish(body))

    # Classes of functions

    def class_def(
        self, of: Blueprint, methods: Sequence[ast.FunctionDef]
    ) -> ast.ClassDef:
        """The class of a function, or of the entries."""
        numbers = {n: number_type(of.plans[0], n) for n in of.arguments}
        keywords: Arguments = [(n, kind, None) for n, kind in numbers.items()]
        keys = self.KEYS()
        body: list[ast.stmt] = [set_self(n, name(n)) for n in of.kept]
        for n, member in of.members.items():
            value = self._member(member, keys)
            mixed = isinstance(member, dict) and is_mixed(member)
            body.append(
                self.mixed(n, value, self._kind(member))
                if mixed
                else set_self(n, value)
            )
        init = constructor([], [*keywords, (*self.KEY, None)], keys.finish(body))
        kinds = {n: self._kind(member) for n, member in of.members.items()}
        fields = self.fields(kinds, {n: numbers[n] for n in of.kept})
        return class_of(of.title, self.MODULE, [*fields, init, *methods])

    def _kind(self, member: Member) -> str:
        """The type of a member."""
        match member:
            case Stored():
                return "Array"
            case Layer():
                return self.classes.layers[member].title
            case Part(layout="listed"):
                return f"list[{member.of.title}]"
            case Part():
                return member.of.title
        kinds = {self._kind(m) for m in member.values()}
        kind = kinds.pop() if len(kinds) == 1 else "Any"
        return f"list[{kind}]" if is_list(member) else f"dict[str, {kind}]"

    def _member(self, member: Member, keys: Keys) -> ast.expr:
        """A new member, as the constructor makes it."""
        match member:
            case Stored(leaf=leaf, shape=shape):
                return self.array(leaf, drawn(leaf, shape, keys))
            case Layer():
                return self._layer(member, keys)
            case Part():
                return self._part(member, keys)
        if is_list(member):
            return self.items(
                [self._member(member[n], keys) for n in sorted(member, key=int)]
            )
        return self.group({n: self._member(m, keys) for n, m in member.items()})

    def _layer(self, layer: Layer, keys: Keys) -> ast.expr:
        key, _ = self.KEY
        own = self.library(layer)
        if own is not None:
            own.keywords.append(ast.keyword(key, keys.module()))
            return own
        of = self.classes.layers[layer]
        sizes, keywords = of.arguments(layer)
        if of.draws:
            keywords[key] = keys.module()
        return call(of.title, sizes, keywords)

    def _part(self, part: Part, keys: Keys) -> ast.expr:
        key, _ = self.KEY
        numbers = Numbers(part.plan)
        given: dict[str, ast.expr] = {}
        i = name("i_" if "i" in part.plan.varying else "i")
        for n in part.of.arguments:
            value = part.attributes[n]
            given[n] = numbers.value(value)
            if isinstance(value, list):
                turn = ast.BinOp(i, ast.Mod(), literal(len(value)))
                given[n] = ast.Subscript(given[n], turn)
        if part.layout is None:
            return call(part.of.title, [], {**given, key: keys.module()})
        count = numbers.value(part.count, "int")
        if part.layout == "stacked":
            return self.stacked(part.of.title, given, count, keys)
        counted = any(isinstance(part.attributes[n], list) for n in part.of.arguments)
        return self.listed(part.of.title, given, count, keys, i if counted else None)


def set_self(n: str, value: ast.expr) -> ast.stmt:
    return assign(ast.Attribute(name("self"), n), value)


def number_type(plan: Plan, n: str) -> str:
    """The type of an attribute of a function."""
    values = [i.own[n] for i in plan.instances]
    return "float" if any(isinstance(v, float) for v in values) else "int"


def constructor(
    arguments: Arguments, keywords: Arguments, body: list[ast.stmt]
) -> ast.FunctionDef:
    """`__init__`."""
    node = function("__init__", arguments, keywords, "None", body)
    node.args.args = [ast.arg("self"), *node.args.args]
    return node


def class_of(title: str, base: str, body: Sequence[ast.stmt]) -> ast.ClassDef:
    node = ast.ClassDef(title, [dotted(base)], [], [*body], [])
    node.type_params = []  # type: ignore[attr-defined, unused-ignore]
    return node


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
