"""The sources of the ops: JAX functions by alias, expressions, functions to carry over."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .fold import Folder
from .nodes import is_atom, names_in, names_in_order
from .printer import statement as print_statement

Reader = Callable[[str], str]
"""The text of a module of `blox.ops`, by its name."""


@dataclass
class OpSource:
    """How an op is written: an alias (`jax.nn.silu`) or a function of ours."""

    name: str
    alias: ast.expr | None = None
    function: ast.FunctionDef | None = None
    inline: bool = False

    @cached_property
    def parameters(self) -> dict[str, ast.expr | None]:
        """The parameters of a function and their defaults."""
        assert self.function is not None
        a = self.function.args
        positional: list[ast.expr | None] = [None] * (len(a.args) - len(a.defaults))
        both = zip(a.args, positional + list(a.defaults), strict=True)
        keyword = zip(a.kwonlyargs, a.kw_defaults, strict=True)
        return {p.arg: d for p, d in (*both, *keyword)}

    def expression(
        self, operands: Mapping[str, ast.expr], others: Mapping[str, ast.expr]
    ) -> ast.expr | None:
        """The op's one expression over these values, None where a call of it is written.

        Operands that compute something have to stand there once and in order.
        """
        if self.function is None:
            return None
        has_branch = any(isinstance(s, ast.If) for s in self.function.body)
        if not (self.inline or has_branch) or _assigned(self.function) & {
            *self.parameters
        }:
            return None
        defaults = {k: d for k, d in self.parameters.items() if d is not None}
        body = [s for s in self.function.body if not _is_docstring(s)]
        computed = {f"@{k}": v for k, v in operands.items() if not is_atom(v)}
        held: dict[str, ast.expr] = {
            k: ast.Name(f"@{k}") if f"@{k}" in computed else v
            for k, v in operands.items()
        }
        folder = Folder({**defaults, **held, **others})
        match folder.block(copy.deepcopy(body)):
            case [ast.Return(value=ast.expr() as value)]:
                if [n for n in names_in_order(value) if n[0] == "@"] == [*computed]:
                    result: ast.expr = Folder(computed).visit(value)
                    return result
        return None


class Library:
    """The sources of all ops, read family by family when they are asked for."""

    def __init__(self, read: Reader) -> None:
        self._read = read
        self._modules: dict[str, dict[str, OpSource]] = {}

    def op(self, family: str, name: str) -> OpSource:
        module = self.module(family)
        return module.get(name) or module[f"{name}_"]

    def module(self, family: str) -> dict[str, OpSource]:
        if family not in self._modules:
            self._modules[family] = _module(self._read(family))
        return self._modules[family]


@dataclass
class Carried:
    """The functions that a file carries over, each cut to what the file uses of it."""

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
    assigned = _assigned(source.function)
    annotations = {a.arg: a.annotation for a in _arguments(source.function)}
    for name, default in source.parameters.items():
        values = [
            None
            if name in (use.present | use.maybe)
            else use.attributes.get(name, default)
            for use in uses
        ]
        if name in assigned or not values or None in values:
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
    node.body = _tidy(Folder(known, always, put=defaults).block(node.body))
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
        kind = "int" if value is _SIZE else type(literal_value(value)).__name__
        fits = [p for p in parts if p.partition("[")[0].lower() == kind]
        if kind == "tuple":
            fits = [p for p in parts if p.startswith(("Sequence", "tuple"))]
        parts = fits or parts
    return ast.parse(" | ".join(parts), mode="eval").body


def _tidy(body: list[ast.stmt]) -> list[ast.stmt]:
    """Less what folding left without use, and `y = ...; return y` as one."""
    while True:
        read = {
            n.id
            for s in body
            for n in ast.walk(s)
            if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)
        }
        before = sum(1 for s in body for _ in ast.walk(s))
        body = _Unread(read).block(body)
        if sum(1 for s in body for _ in ast.walk(s)) == before:
            break
    return _chained(body)


def _chained(body: list[ast.stmt]) -> list[ast.stmt]:
    """`y = a(x)` before `y = b(y)` or `return b(y)` as `b(a(x))`, where that is short."""
    result: list[ast.stmt] = []
    for statement in body:
        match result[-1:], statement:
            case (
                [ast.Assign(targets=[ast.Name(id=a)], value=first)],
                ast.Assign(targets=[ast.Name(id=b)], value=second),
            ) if a == b:
                joined: ast.stmt | None = _put(first, second, a, statement)
            case (
                [ast.Assign(targets=[ast.Name(id=a)], value=first)],
                ast.Return(value=ast.expr() as second),
            ):
                joined = _put(first, second, a, statement)
            case _:
                joined = None
        if joined is None:
            result.append(statement)
        else:
            result[-1] = joined
    return result


def _put(
    first: ast.expr, second: ast.expr, target: str, statement: ast.stmt
) -> ast.stmt | None:
    """`statement` with `first` in place of its one `target`, if computed first there."""
    found = [n for n in ast.walk(second) if isinstance(n, ast.Name) and n.id == target]
    if len(found) != 1 or not _leads(second, target):
        return None
    new = copy.deepcopy(statement)
    assert isinstance(new, ast.Assign | ast.Return)
    assert new.value is not None
    new.value = Folder({target: first}).visit(new.value)
    lines = print_statement(new, 1)
    return new if len(lines) == 1 and len(lines[0]) <= 80 else None


def _leads(node: ast.expr, target: str) -> bool:
    """Whether nothing is computed before `target` in an expression."""
    while not isinstance(node, ast.Name):
        match node:
            case ast.BinOp(left=inner) | ast.Compare(left=inner):
                node = inner
            case ast.Attribute(value=inner) | ast.Subscript(value=inner):
                node = inner
            case ast.UnaryOp(operand=inner):
                node = inner
            case ast.Call(func=function, args=args):
                if isinstance(function, ast.Attribute) and target in names_in(function):
                    node = function
                elif args:
                    node = args[0]
                else:
                    return False
            case _:
                return False
    return node.id == target


class _Unread(Folder):
    """Drops assignments to names that nothing reads."""

    def __init__(self, read: set[str]) -> None:
        super().__init__({})
        self.read = read

    def visit_Assign(self, node: ast.Assign) -> Any:
        match node.targets:
            case [ast.Name(id=text)] if text not in self.read:
                return []
        return node


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


def _assigned(function: ast.FunctionDef) -> set[str]:
    """The names that a function gives a value to."""
    return {
        n.id
        for n in ast.walk(function)
        if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _module(text: str) -> dict[str, OpSource]:
    result: dict[str, OpSource] = {}
    for node in ast.parse(text).body:
        match node:
            case ast.FunctionDef(name=name, decorator_list=marks):
                inline = any(
                    isinstance(m, ast.Name) and m.id == "inline" for m in marks
                )
                node.decorator_list = []
                result[name] = OpSource(name, function=node, inline=inline)
            case ast.Assign(
                targets=[ast.Name(id=name)], value=ast.Attribute() as value
            ):
                result[name] = OpSource(name, alias=value)
    return result


def literal_value(node: ast.expr) -> Any:
    """The value of a constant expression."""
    return Folder({}).evaluate(node)
