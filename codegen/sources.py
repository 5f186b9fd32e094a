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
        node = _cut(source, self.uses.get(name, []))
        for used in sorted(names_in(node) - {name}):
            if used in module and module[used].function is not None:
                self._add(used, family, done)
        done[name] = node

    def dropped(self, name: str) -> frozenset[str]:
        """The parameters that are the same at every use, and so no longer are any."""
        module = self.library.module(self.families[name])
        return frozenset(_decided(module[name], self.uses.get(name, [])))


@dataclass(frozen=True)
class Use:
    """One call of a carried function: the attributes given, the operands that are there."""

    attributes: Mapping[str, ast.expr]
    present: frozenset[str]
    maybe: frozenset[str] = frozenset()


def _decided(source: OpSource, uses: list[Use]) -> dict[str, ast.expr]:
    """Parameters of one constant value at all uses which decide a branch."""
    assert source.function is not None
    tested: set[str] = set()
    for node in ast.walk(source.function):
        if isinstance(node, (ast.If, ast.IfExp)):
            tested |= names_in(node.test)
    result: dict[str, ast.expr] = {}
    assigned = _assigned(source.function)
    for name, default in source.parameters.items():
        if name not in tested or name in assigned or not uses:
            continue
        found: dict[str, ast.expr] = {}
        for use in uses:
            value: ast.expr | None = use.attributes.get(name, default)
            if name in use.present or name in use.maybe:
                value = None
            if value is None or not _is_constant(value):
                break
            found[ast.dump(value)] = value
        else:
            if len(found) == 1:
                result[name] = next(iter(found.values()))
    return result


def _cut(source: OpSource, uses: list[Use]) -> ast.FunctionDef:
    node = copy.deepcopy(source.function)
    assert node is not None
    decided = _decided(source, uses)
    always = [
        p
        for p, default in source.parameters.items()
        if uses and default is not None and all(p in u.present for u in uses)
    ]
    node.body = _tidy(Folder(decided, always).block(node.body))
    a = node.args
    keep = [d for d in _paired(a.args, a.defaults) if d[0].arg not in decided]
    for arg, _ in keep:
        if arg.arg in always and arg.annotation is not None:
            arg.annotation = _without_none(arg.annotation)
    a.args = [arg for arg, _ in keep]
    a.defaults = [d for arg, d in keep if d is not None and arg.arg not in always]
    pairs = zip(a.kwonlyargs, a.kw_defaults, strict=True)
    kept = [(arg, d) for arg, d in pairs if arg.arg not in decided]
    a.kwonlyargs = [arg for arg, _ in kept]
    a.kw_defaults = [d for _, d in kept]
    return node


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
    assert isinstance(new, (ast.Assign, ast.Return)) and new.value is not None
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


def _without_none(annotation: ast.expr) -> ast.expr:
    match annotation:
        case ast.BinOp(left=left, op=ast.BitOr(), right=ast.Constant(value=None)):
            return left
    return annotation


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
