"""The names that statements read and give values to, functions inside them included."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ..walk import children

Scope = ast.FunctionDef | ast.Lambda


@dataclass
class Usage:
    """What a statement does with the names of the function that it stands in."""

    reads: set[str] = field(default_factory=set)
    takes: set[str] = field(default_factory=set)
    """What it reads for more than a shape."""
    writes: dict[str, None] = field(default_factory=dict)
    """In order."""
    hidden: dict[str, set[str]] = field(default_factory=dict)
    """By name that a function inside reads: the names which that function binds."""
    functions: dict[str, set[str]] = field(default_factory=dict)
    """What the functions that it defines read."""


def usage(statement: ast.stmt) -> Usage:
    """What a statement reads and writes."""
    found = Usage()
    _visit(statement, found)
    return found


def _visit(node: ast.AST, found: Usage) -> None:
    match node:
        case ast.FunctionDef() | ast.Lambda():
            _visit_function(node, found)
            return
        case ast.Name(id=name):
            found.reads.add(name)
            found.takes.add(name)
            return
        case ast.Attribute(value=ast.Name(id=name), attr="shape" | "dtype" | "ndim"):
            found.reads.add(name)
            return
        case ast.Assign(targets=[target], value=value):
            parts: Iterable[ast.AST | None] = [value]
            _store(target, found)
        case ast.AnnAssign(target=target, value=value):
            parts = [value]
            _store(target, found)
        case ast.For(target=target):
            parts = [node.iter, *node.body]
            _store(target, found)
        case ast.comprehension(target=target):
            parts = [node.iter, *node.ifs]
            _store(target, found)
        case _:
            parts = children(node)
    for part in parts:
        if part is not None:
            _visit(part, found)


def _store(target: ast.expr, found: Usage) -> None:
    match target:
        case ast.Name(id=name):
            found.writes[name] = None
        case ast.Tuple(elts=elts) | ast.List(elts=elts):
            for element in elts:
                _store(element, found)
        case ast.Starred(value=value):
            _store(value, found)
        case _:
            _visit(target, found)  # state["a"] = ... reads state


def _visit_function(node: Scope, found: Usage) -> None:
    inner = _inside(node)
    bound = {a.arg for a in _arguments(node)} | {*inner.writes}
    free = inner.reads - bound
    found.reads |= free
    found.takes |= inner.takes - bound
    if isinstance(node, ast.FunctionDef):
        found.writes[node.name] = None
        found.functions[node.name] = free
    for name in free:
        hidden = found.hidden.setdefault(name, set())
        hidden |= bound | inner.hidden.get(name, set())


def _inside(node: Scope) -> Usage:
    found = Usage()
    body = node.body if isinstance(node, ast.FunctionDef) else [node.body]
    for part in body:
        _visit(part, found)
    return found


def _arguments(node: Scope) -> list[ast.arg]:
    return [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]


class Renamer:
    """Gives the names of a function others, where functions inside don't bind them."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = {old: new for old, new in names.items() if old != new}
        self.done: set[int] = set()

    def rename(self, node: ast.AST, names: Mapping[str, str] | None = None) -> None:
        """Renames in place; a node that stands in several places is renamed once."""
        names = self.names if names is None else names
        if not names or id(node) in self.done:
            return
        self.done.add(id(node))
        if isinstance(node, ast.Name):
            node.id = names.get(node.id, node.id)
        elif isinstance(node, Scope):
            if isinstance(node, ast.FunctionDef):
                node.name = names.get(node.name, node.name)
            bound = {a.arg for a in _arguments(node)} | {*_inside(node).writes}
            names = {old: new for old, new in names.items() if old not in bound}
        for child in children(node):
            self.rename(child, names)
