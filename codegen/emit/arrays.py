"""SHAPES: the shapes of a model's arrays, with a name for what is written twice."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from ...schema.resolve.trees import Tree
from ..names import Names
from ..nodes import annotated, call, function, is_same, literal, names_in
from ..printer import render
from .copies import axes_of, parts_of
from .sized import Part, Sizes, written

SEVERAL = 3
"""Arrays of one shape side by side, whose shape is written once."""
HEAD = 3
"""The lines that a function has beside its body, the empty ones among them."""
COPIES = 3
"""The lines that say of several lines that there are copies."""
SHORT = 48
"""Columns of shapes that are written twice, rather than given a name."""


@dataclass
class _Kind:
    """The arrays of a function of the model, wherever it is called."""

    tree: Tree
    part: Part
    uses: int = 0
    copied: int = 0
    """At how many of them there are copies."""
    used: list[str] = field(default_factory=list)
    """The attributes that its sizes speak of."""
    given: set[tuple[str, ...]] = field(default_factory=set)
    """The texts of these, as its callers give them."""


class Arrays:
    """The table SHAPES, and the tables and functions that it speaks of.

    The arrays of a function of the model that runs in copies, or is called several
    times, have a table of their own, `LAYER`; a function where its callers give other
    sizes, `layer_shapes(16, 32)`. They are written where they make the file shorter.
    """

    def __init__(self, tree: Tree, sizes: Sizes, names: Names) -> None:
        self.keys: dict[int, str] = {}
        self.kinds: dict[str, _Kind] = {}
        self.parameters: set[str] = set()
        self.shared: dict[str, tuple[str, list[str] | None]] = {}
        """The name of a table; of a function, with its parameters."""
        self.statements: list[ast.stmt] = []
        self._count(tree, sizes, copied=False)
        for key, kind in reversed(self.kinds.items()):
            self._share(key, kind, names)
        table = self._written(tree, sizes)
        is_tree = isinstance(table, ast.Dict | ast.DictComp)
        self.table = annotated("SHAPES", "Params" if is_tree else "Any", table)

    def _count(self, tree: Tree, sizes: Sizes | None, *, copied: bool) -> None:
        if isinstance(sizes, Part):
            kind = self._kind(tree, sizes)
            kind.uses += 1
            kind.copied += copied or bool(axes_of(tree, sizes))
            kind.given.add(
                tuple(ast.dump(written(sizes.given[name])) for name in kind.used)
            )
            if kind.uses > 1:
                return
            sizes = sizes.shared
        copied = not isinstance(tree, dict)
        for part, inner in parts_of(tree, sizes):
            self._count(part, inner, copied=copied)

    def _kind(self, tree: Tree, part: Part) -> _Kind:
        """What calls have in common that one name can be for."""
        shared = id(part.shared)
        if shared not in self.keys:
            body = self._inner(tree, part.shared)
            self.keys[shared] = f"{part.title} {ast.dump(body)}"
            if self.keys[shared] not in self.kinds:
                used = [name for name in part.given if name in names_in(body)]
                self.kinds[self.keys[shared]] = _Kind(tree, part, used=used)
                self.parameters |= part.given.keys()
        return self.kinds[self.keys[shared]]

    def _share(self, key: str, kind: _Kind, names: Names) -> None:
        """Gives it a name, if that is shorter."""
        if kind.uses == 1 and not kind.copied:
            return
        body = self._inner(kind.tree, dict(kind.part))
        if len(kind.given) == 1 and not names_in(body) & self.parameters:
            if not _is_worth_a_name(body, kind):
                return
            title = names.fresh(kind.part.title.upper())
            self.statements.append(annotated(title, "Params", body))
            self.shared[key] = title, None
            return
        body = self._inner(kind.tree, kind.part.shared)
        lines = render([ast.Return(body)]).count("\n") + 1
        if kind.uses * (lines - 1) + kind.copied * COPIES <= lines + HEAD:
            return
        title = names.fresh(f"{kind.part.title}_shapes")
        head = [(name, "int", None) for name in kind.used]
        made = function(title, head, [], "Params", [ast.Return(body)])
        self.statements.append(made)
        self.shared[key] = title, kind.used

    def _written(self, tree: Tree, sizes: Sizes | None) -> ast.expr:
        """The shapes at a place, of the copies on axes as well."""
        node = self._inner(tree, sizes)
        for axis in reversed(axes_of(tree, sizes)):
            node = ast.Tuple([axis, node])
        return node

    def _inner(self, tree: Tree, sizes: Sizes | None) -> ast.expr:
        """The shapes of one copy, in the nesting of Params."""
        if isinstance(sizes, Part) and self.keys.get(id(sizes.shared)) in self.shared:
            title, used = self.shared[self.keys[id(sizes.shared)]]
            if used is None:
                return ast.Name(title)
            return call(title, [written(sizes.given[name]) for name in used])
        if isinstance(tree, dict):
            parts = [self._written(p, inner) for p, inner in parts_of(tree, sizes)]
            return _dict([*tree], parts)
        if isinstance(tree, list):
            parts = [self._written(p, inner) for p, inner in parts_of(tree, sizes)]
            return _list(parts, len(tree))
        shape = tree.shape
        if isinstance(sizes, tuple) and sizes[len(sizes) - len(shape) :] == shape:
            shape = sizes[len(sizes) - len(shape) :]
        return ast.Tuple([written(size) for size in shape])


def _is_worth_a_name(body: ast.expr, kind: _Kind) -> bool:
    text = render([ast.Return(body)])
    if "\n" in text:
        return kind.copied > 0 or kind.uses > 1
    return kind.uses > 1 and len(text) > SHORT


def _dict(names: list[str], parts: list[ast.expr]) -> ast.expr:
    keys, first = literal(tuple(names)), parts[0] if len(parts) >= SEVERAL else None
    if isinstance(first, ast.Tuple) and _are_alike(parts):
        return call("dict.fromkeys", [keys, first])
    if isinstance(first, ast.Dict) and _are_alike(parts):
        name = "name_" if "name" in names_in(first) else "name"
        loop = ast.comprehension(ast.Name(name), keys, [], 0)
        return ast.DictComp(ast.Name(name), first, [loop])
    return ast.Dict([literal(name) for name in names], parts)


def _are_alike(parts: list[ast.expr]) -> bool:
    """True of shapes, and of tables of shapes, that are written alike."""
    if all(isinstance(part, ast.Tuple) for part in parts):
        return all(is_same(parts[0], part) for part in parts)
    tables = [part for part in parts if isinstance(part, ast.Dict)]
    shapes = (value for table in tables for value in table.values)
    if len(tables) < len(parts) or not all(isinstance(s, ast.Tuple) for s in shapes):
        return False
    first = ast.dump(parts[0])
    return all(ast.dump(part) == first for part in parts)


def _list(kinds: list[ast.expr], count: int) -> ast.expr:
    """Copies in a list, of which the first are given."""
    if len(kinds) == count:
        return ast.List(kinds)
    rounds, more = divmod(count, len(kinds))
    if not more and "\n" not in render([ast.Return(ast.List(kinds))]):
        return ast.BinOp(ast.List(kinds), ast.Mult(), literal(rounds))
    copy, i = kinds[0], "_"
    if len(kinds) > 1:
        i = "i_" if any("i" in names_in(kind) for kind in kinds) else "i"
        index = ast.BinOp(ast.Name(i), ast.Mod(), literal(len(kinds)))
        copy = ast.Subscript(ast.Tuple(kinds), index)
    loop = ast.comprehension(ast.Name(i), call("range", [literal(count)]), [], 0)
    return ast.ListComp(copy, [loop])
