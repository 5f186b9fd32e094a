"""SHAPES: the shapes of a model's arrays, with a function for what is alike."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator

from ...schema.parameters import Leaf
from ...schema.resolve.trees import Tree
from ..names import Names
from ..nodes import annotated, call, function, is_same, literal, names_in
from ..printer import render
from .copies import period
from .sized import Part, Sizes, written

SEVERAL = 3
"""Arrays of one shape side by side, whose shape is written once."""
HEAD = 3
"""The lines that a function has beside its body, the empty ones among them."""


class Arrays:
    """The table SHAPES, and the functions that it calls.

    A function of the model that is called several times, with other sizes maybe, has
    one: `layer_shapes(16, 32)`. It is written where it makes the file shorter.
    """

    def __init__(self, tree: Tree, sizes: Sizes, names: Names) -> None:
        self.keys: dict[int, str] = {}
        self.uses: Counter[str] = Counter()
        self.found: dict[str, tuple[Tree, Part]] = {}
        self.calls: dict[str, tuple[str, list[str]]] = {}
        """The name of a function and its parameters."""
        self.functions: list[ast.stmt] = []
        self._count(tree, sizes)
        for key in reversed(self.found):
            self._share(key, names)
        self.table = annotated("SHAPES", "Params", self._written(tree, sizes))

    def _count(self, tree: Tree, sizes: Sizes | None) -> None:
        if isinstance(sizes, Part):
            key = self._key(tree, sizes)
            self.uses[key] += 1
            if key in self.found:
                return
            self.found[key] = tree, sizes
            sizes = sizes.shared
        for part, inner in _parts(tree, sizes):
            self._count(part, inner)

    def _key(self, tree: Tree, part: Part) -> str:
        """What calls have in common that one function can be for."""
        shared = id(part.shared)
        if shared not in self.keys:
            text = ast.dump(self._written(tree, part.shared))
            self.keys[shared] = f"{part.title} {text}"
        return self.keys[shared]

    def _share(self, key: str, names: Names) -> None:
        """Makes a function of it, if that is shorter."""
        tree, part = self.found[key]
        body = self._written(tree, part.shared)
        lines = render([ast.Return(body)]).count("\n") + 1
        uses = self.uses[key]
        if uses * (lines - 1) <= lines + HEAD:
            return
        used = [name for name in part.given if name in names_in(body)]
        title = names.fresh(f"{part.title}_shapes")
        head = [(name, "int", None) for name in used]
        made = function(title, head, [], "Params", [ast.Return(body)])
        self.functions.append(made)
        self.calls[key] = title, used

    def _written(self, tree: Tree, sizes: Sizes | None) -> ast.expr:
        """Shapes in the nesting of Params; a comprehension for copies that are alike."""
        if isinstance(sizes, Part) and self.keys.get(id(sizes.shared)) in self.calls:
            title, used = self.calls[self.keys[id(sizes.shared)]]
            return call(title, [written(sizes.given[name]) for name in used])
        if isinstance(tree, Leaf):
            shape = tree.full_shape
            if isinstance(sizes, tuple) and sizes == shape:
                shape = sizes
            return ast.Tuple([written(size) for size in shape])
        parts = [self._written(part, inner) for part, inner in _parts(tree, sizes)]
        if isinstance(tree, dict):
            return _dict([*tree], parts)
        return _list(parts, len(tree))


def _parts(tree: Tree, sizes: Sizes | None) -> Iterator[tuple[Tree, Sizes | None]]:
    """What lies in a tree, with its sizes; of copies that repeat, the first."""
    if isinstance(tree, dict):
        known = sizes if isinstance(sizes, dict) else {}
        for name, part in tree.items():
            yield part, known.get(name)
    elif not isinstance(tree, Leaf):
        copies = sizes if isinstance(sizes, list) and len(sizes) == len(tree) else None
        for i, part in enumerate(tree[: period(tree)]):
            yield part, copies[i] if copies else None


def _dict(names: list[str], parts: list[ast.expr]) -> ast.expr:
    tuples = all(isinstance(part, ast.Tuple) for part in parts)
    if len(parts) >= SEVERAL and tuples and all(is_same(parts[0], p) for p in parts):
        return call("dict.fromkeys", [literal(tuple(names)), parts[0]])
    return ast.Dict([literal(name) for name in names], parts)


def _list(kinds: list[ast.expr], count: int) -> ast.expr:
    """Copies in a list, of which the first are given."""
    if len(kinds) == count:
        return ast.List(kinds)
    copy, i = kinds[0], "_"
    if len(kinds) > 1:
        i = "i"
        index = ast.BinOp(ast.Name(i), ast.Mod(), literal(len(kinds)))
        copy = ast.Subscript(ast.Tuple(kinds), index)
    loop = ast.comprehension(ast.Name(i), call("range", [literal(count)]), [], 0)
    return ast.ListComp(copy, [loop])
