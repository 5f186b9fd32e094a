"""The functions that a file carries over, each cut to what the file uses of it."""

from __future__ import annotations

import ast
import copy
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from ...schema.syntax import parsed_expression
from ..names import Names
from ..nodes import is_same, names_in, renamed
from .fold import Folder
from .sources import Library, OpSource, assigned
from .tidy import tidy


@dataclass(frozen=True)
class Use:
    """One call of a carried function: the attributes given, the operands that are there."""

    attributes: Mapping[str, ast.expr]
    present: frozenset[str]
    maybe: frozenset[str] = frozenset()
    """Operands that are inputs which may not be there."""
    positional: frozenset[str] = frozenset()
    """The parameters that get operands, by position; others are given by name."""


@dataclass
class Carried:
    """The carried functions of one file, by name, and all uses of them."""

    library: Library
    uses: dict[str, dict[object, Use]] = field(default_factory=dict)
    families: dict[str, str] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    """What the functions are called in the file."""
    cuts: dict[str, Cut] = field(default_factory=dict)

    def use(self, family: str, name: str, use: Use) -> None:
        self.families[name] = family
        dumps = tuple((k, ast.dump(v)) for k, v in use.attributes.items())
        same = (dumps, use.present, use.maybe)
        self.uses.setdefault(name, {})[same] = use

    def settle(self, names: Names) -> None:
        """Gives the functions names, once all uses are known."""
        self.families |= HELPERS
        self.titles |= {name: name for name in HELPERS}  # reserved: no graph has them
        for name in list(self.uses):
            self._settle(name, names)

    def _settle(self, name: str, names: Names) -> None:
        if name not in self.titles:
            self.titles[name] = names.fresh(name)
            for helper in self._helpers(name):
                self.families[helper] = self.families[name]
                self._settle(helper, names)

    def _helpers(self, name: str) -> list[str]:
        """The functions of the same module that one calls."""
        module = self.library.module(self.families[name])
        used = sorted(names_in(self.cut(name).function) - {name})
        return [u for u in used if u in module and module[u].function is not None]

    def functions(self, used: Set[str]) -> dict[str, ast.FunctionDef]:
        """Those whose titles are used, helpers before the functions that call them."""
        done: dict[str, ast.FunctionDef] = {}
        for name in [*self.uses, *HELPERS]:
            if self.titles[name] in used:
                self._add(name, done)
        return done

    def _add(self, name: str, done: dict[str, ast.FunctionDef]) -> None:
        if name in done:
            return
        function = done[name] = self.cut(name).function  # helpers may call each other
        for helper in self._helpers(name):
            self._add(helper, done)
        del done[name]
        done[name] = renamed(function, self.titles)

    def cut(self, name: str) -> Cut:
        if name not in self.cuts:
            source = self.library.module(self.families[name])[name]
            self.cuts[name] = _cut(source, list(self.uses.get(name, {}).values()))
        return self.cuts[name]

    def dropped(self, name: str) -> frozenset[str]:
        """The parameters that are the same at every use, and so no longer are any."""
        return self.cut(name).dropped


HELPERS = {"fold_in": "keys", "merge": "state", "kept": "state"}
"""Functions that loops, keys and state call, by the module that they lie in."""


@dataclass(frozen=True)
class Cut:
    """A function as a file needs it, and the parameters that it no longer has."""

    function: ast.FunctionDef
    dropped: frozenset[str]


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


def _cut(source: OpSource, uses: list[Use]) -> Cut:
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
        if (default := source.parameters[name]) is not None and is_same(default, value)
    }
    always = {
        p
        for p, default in source.parameters.items()
        if uses and default is not None and all(p in u.present for u in uses)
    }
    node.body = tidy(Folder(known, [*always], put=defaults).block(node.body))
    read = set().union(*(names_in(s) for s in node.body))
    dropped = frozenset(n for n in known if n in defaults or n not in read)
    node.args = _parameters(source, uses, always, dropped)
    for arg in _arguments(node):
        if arg.annotation is not None:
            arg.annotation = _narrowed(
                arg.annotation, known.get(arg.arg), arg.arg in always
            )
    return Cut(node, dropped)


def _parameters(
    source: OpSource, uses: list[Use], always: set[str], dropped: frozenset[str]
) -> ast.arguments:
    """The parameters that are left, each with a default if some use leaves it out.

    Operands go by position, None where one is absent before others, so that those
    before one that is always there need no default. Parameters go by name: one without
    a default that follows one with a default can only be given so.
    """
    assert source.function is not None
    old = copy.deepcopy(source.function.args)
    positional = frozenset().union(*(u.positional for u in uses))
    new = ast.arguments(
        posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[]
    )
    last = max(
        (i for i, a in enumerate(old.args) if a.arg in always & positional), default=-1
    )
    for i, (arg, default) in enumerate(_paired(old.args, old.defaults)):
        if arg.arg in dropped:
            continue
        given = i <= last if arg.arg in positional else arg.arg in always
        default = None if given else default
        if default is None and new.defaults:
            new.kwonlyargs.append(arg)
            new.kw_defaults.append(None)
        else:
            new.args.append(arg)
            new.defaults += [default] if default is not None else []
    for arg, default in zip(old.kwonlyargs, old.kw_defaults, strict=True):
        if arg.arg in dropped:
            continue
        new.kwonlyargs.append(arg)
        new.kw_defaults.append(default if _left_out(arg.arg, default, uses) else None)
    return new


def _left_out(name: str, default: ast.expr | None, uses: list[Use]) -> bool:
    """True where some call doesn't write a keyword, as its value is the default."""
    if default is None or not uses:
        return True
    values = [use.attributes.get(name) for use in uses if name not in use.present]
    return any(v is None or is_same(v, default) for v in values)


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
    return parsed_expression(" | ".join(parts))


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
