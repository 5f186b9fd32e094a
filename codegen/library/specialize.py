"""The functions that a file carries over, each cut to what the file uses of it."""

from __future__ import annotations

import ast
import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..nodes import names_in
from .fold import Folder
from .sources import Library, OpSource, assigned
from .tidy import tidy


@dataclass
class Carried:
    """The carried functions of one file, by name, and all uses of them."""

    library: Library
    uses: dict[str, list[Use]] = field(default_factory=dict)
    families: dict[str, str] = field(default_factory=dict)

    def use(self, family: str, name: str, use: Use) -> None:
        self.families[name] = family
        self.uses.setdefault(name, []).append(use)

    def functions(self) -> list[ast.FunctionDef]:
        """The functions, helpers before those that call them."""
        done: dict[str, ast.FunctionDef] = {}
        for name in self.uses:
            self._add(name, self.families[name], done)
        return list(done.values())

    def _add(self, name: str, family: str, done: dict[str, ast.FunctionDef]) -> None:
        if name in done:
            return
        module = self.library.module(family)
        source = module[name]
        assert source.function is not None
        node, _ = _cut(source, self.uses.get(name, []))
        for used in sorted(names_in(node) - {name}):
            if used in module and module[used].function is not None:
                self._add(used, family, done)
        done[name] = node

    def dropped(self, name: str) -> frozenset[str]:
        """The parameters that are the same at every use, and so no longer are any."""
        module = self.library.module(self.families[name])
        return _cut(module[name], self.uses.get(name, []))[1]


@dataclass(frozen=True)
class Use:
    """One call of a carried function: the attributes given, the operands that are there."""

    attributes: Mapping[str, ast.expr]
    present: frozenset[str]
    maybe: frozenset[str] = frozenset()


_SIZE = ast.Name("size")
"""Stands for an integer that differs from use to use."""


def _known(source: OpSource, uses: list[Use]) -> dict[str, ast.expr]:
    """What all uses say of a parameter: one constant value, or that it is an integer."""
    assert source.function is not None
    result: dict[str, ast.expr] = {}
    changed = assigned(source.function)
    annotations = {a.arg: a.annotation for a in _arguments(source.function)}
    for name, default in source.parameters.items():
        values = [
            None
            if name in (use.present | use.maybe)
            else use.attributes.get(name, default)
            for use in uses
        ]
        if name in changed or not values or None in values:
            continue
        given = [v for v in values if v is not None]
        if len({ast.dump(v) for v in given}) == 1 and _is_constant(given[0]):
            result[name] = given[0]
        elif "int" in _members(annotations[name]) and not any(
            isinstance(v, (ast.Tuple, ast.List)) or _is_text(v) for v in given
        ):
            result[name] = _SIZE
    return result


def _cut(source: OpSource, uses: list[Use]) -> tuple[ast.FunctionDef, frozenset[str]]:
    """The function as this file needs it, and which parameters it no longer has.

    What is known of parameters decides branches. A parameter goes if nothing is left
    that reads it, or if every use has its default.
    """
    node = copy.deepcopy(source.function)
    assert node is not None
    known = _known(source, uses)
    defaults = {
        name: value
        for name, value in known.items()
        if (default := source.parameters[name]) is not None
        and ast.unparse(default) == ast.unparse(value)
    }
    always = [
        p
        for p, default in source.parameters.items()
        if uses and default is not None and all(p in u.present for u in uses)
    ]
    node.body = tidy(Folder(known, always, put=defaults).block(node.body))
    read = set().union(*(names_in(s) for s in node.body))
    dropped = frozenset(n for n in known if n in defaults or n not in read)
    a = node.args
    keep = [d for d in _paired(a.args, a.defaults) if d[0].arg not in dropped]
    a.args = [arg for arg, _ in keep]
    a.defaults = [d for arg, d in keep if d is not None and arg.arg not in always]
    pairs = zip(a.kwonlyargs, a.kw_defaults, strict=True)
    kept = [(arg, d) for arg, d in pairs if arg.arg not in dropped]
    a.kwonlyargs = [arg for arg, _ in kept]
    # What all uses give needs no default, which may not be of the type they give.
    a.kw_defaults = [None if arg.arg in known else d for arg, d in kept]
    for arg in _arguments(node):
        if arg.annotation is not None:
            arg.annotation = _narrowed(
                arg.annotation, known.get(arg.arg), arg.arg in always
            )
    return node, dropped


def _arguments(function: ast.FunctionDef) -> list[ast.arg]:
    return [*function.args.args, *function.args.kwonlyargs]


def _members(annotation: ast.expr | None) -> list[str]:
    """The parts of a union."""
    match annotation:
        case None:
            return []
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return [*_members(left), *_members(right)]
    return [ast.unparse(annotation)]


def _narrowed(annotation: ast.expr, value: ast.expr | None, always: bool) -> ast.expr:
    """The parts of a union that the values given are of."""
    parts = _members(annotation)
    if always:
        parts = [p for p in parts if p != "None"]
    if value is not None:
        kind = "int" if value is _SIZE else type(_literal_value(value)).__name__
        fits = [p for p in parts if p.partition("[")[0].lower() == kind]
        if kind == "tuple":
            fits = [p for p in parts if p.startswith(("Sequence", "tuple"))]
        parts = fits or parts
    return ast.parse(" | ".join(parts), mode="eval").body


def _paired(
    args: list[ast.arg], defaults: list[ast.expr]
) -> list[tuple[ast.arg, ast.expr | None]]:
    padded: list[ast.expr | None] = [None] * (len(args) - len(defaults))
    return list(zip(args, padded + list(defaults), strict=True))


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and not isinstance(node.value, int)


def _is_constant(node: ast.expr) -> bool:
    try:
        Folder({}).evaluate(node)
    except Exception:
        return False
    return True


def _literal_value(node: ast.expr) -> Any:
    """The value of a constant expression."""
    return Folder({}).evaluate(node)
