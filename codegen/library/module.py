"""A module of ops as trees: its functions and aliases, and what it imports."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field, replace
from functools import lru_cache

from ...schema.syntax import parsed
from ..nodes import names_in
from ..walk import walk
from .allowed import Allowed, imports_of
from .comments import attach_comments
from .evaluate import floating
from .source import OpSource, assigned


@dataclass(frozen=True)
class OpModule:
    """A module of ops: its functions and aliases by name, and what it imports."""

    sources: dict[str, OpSource]
    imports: dict[str, str]
    _allowed: dict[str, Allowed] = field(default_factory=dict)

    @classmethod
    def of(
        cls, text: str, taken: Set[str], title: Callable[[str], str] | None = None
    ) -> OpModule:
        """A module from its text; `title` gives the functions of a module that is not
        ours names that nobody else's have.
        """
        if title is None:
            plain = _plain(text)
            if not plain.imports.keys() & taken:
                # What a source remembers holds for one file.
                fresh = {n: replace(s, _templates={}) for n, s in plain.sources.items()}
                return replace(plain, sources=fresh)
        tree = parsed(text)
        attach_comments(tree, text)
        imports = imports_of(tree)
        other = {}
        if title is not None:
            for node in tree.body:
                if isinstance(node, ast.FunctionDef):
                    node.name, old = title(node.name), node.name
                    other[old] = node.name
        for name in imports.keys() & taken:
            other[name] = f"{name}_"  # no name of a graph ends so
            imports[other[name]] = _bound_as(imports.pop(name), other[name])
        renamed = _Renamed(other).visit(tree) if other else tree
        return cls(_sources(renamed, of_blox=title is None), imports)

    def allowed(self, name: str) -> Allowed:
        """What the source of a name, and of what it calls, may speak of."""
        if name not in self._allowed:
            self._allowed[name] = Allowed.of(self.closure(name), self.imports)
        return self._allowed[name]

    def closure(self, name: str) -> list[ast.AST]:
        """The source of a name, and those of the functions that it calls."""
        return [source.tree for source in self.reached(name)]

    def reached(self, name: str) -> list[OpSource]:
        """A source, and those of the functions that it calls."""
        found: dict[str, OpSource] = {}
        todo = [name]
        while todo:
            source = self.sources[todo.pop()]
            if source.name not in found:
                found[source.name] = source
                todo += names_in(source.tree) & self.sources.keys()
        return list(found.values())


@lru_cache(maxsize=64)
def _plain(text: str) -> OpModule:
    """A module of ours from its text, whose imports have the names of the text."""
    tree = parsed(text)
    attach_comments(tree, text)
    return OpModule(_sources(tree, of_blox=True), imports_of(tree))


class _Renamed(ast.NodeTransformer):
    """Imported names by their names in the file, where no local has them."""

    def __init__(self, other: Mapping[str, str]) -> None:
        self.other = other

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        own = {a.arg for a in walk(node) if isinstance(a, ast.arg)}
        hidden = own | assigned(node)
        inner = _Renamed({k: v for k, v in self.other.items() if k not in hidden})
        inner.generic_visit(node)
        return node

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.copy_location(
            ast.Name(self.other.get(node.id, node.id), node.ctx), node
        )


def _bound_as(line: str, name: str) -> str:
    """An import line that binds another name."""
    (node,) = parsed(line).body
    assert isinstance(node, ast.Import | ast.ImportFrom)
    node.names[0].asname = name
    return ast.unparse(node)


def asked(tree: ast.AST) -> set[str]:
    found: set[str] = set()
    for node in walk(tree):
        match node:
            case ast.Attribute(attr="ndim") | ast.Constant(value=builtins.Ellipsis):
                found.add("ndim")
            case ast.Compare() | ast.ListComp():
                parts = (n for n in walk(node) if isinstance(n, ast.Attribute))
                found |= {p.attr for p in parts} & {"shape", "dtype"}
            case ast.Call() if floating(node):
                found.add("dtype")
    return found


def _sources(tree: ast.Module, *, of_blox: bool) -> dict[str, OpSource]:
    result: dict[str, OpSource] = {}
    helpers = frozenset(n.name for n in tree.body if isinstance(n, ast.FunctionDef))
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name, decorator_list=marks):
                inline = [isinstance(m, ast.Name) and m.id == "inline" for m in marks]
                node.decorator_list = []
                result[name] = OpSource(
                    name,
                    function=node,
                    inline=any(inline),
                    decorated=not all(inline),
                    of_blox=of_blox,
                    helpers=helpers,
                )
            case ast.Assign(
                targets=[ast.Name(id=name)], value=ast.Attribute() as value
            ):
                result[name] = OpSource(name, alias=value)
    return result
