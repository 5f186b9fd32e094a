"""The sources of the ops: functions of JAX by alias, functions of ours as trees."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from ...schema.registry import Definition
from ..nodes import is_atom, names_in_order
from .fold import Folder

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
        if not (self.inline or has_branch) or assigned(self.function) & {
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

    def op(self, definition: Definition) -> OpSource:
        module, name = self.module(definition.home), definition.python_name
        return module.get(name) or module[f"{name}_"]

    def module(self, family: str) -> dict[str, OpSource]:
        if family not in self._modules:
            self._modules[family] = _module(self._read(family))
        return self._modules[family]


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


def assigned(function: ast.FunctionDef) -> set[str]:
    """The names that a function gives a value to."""
    return {
        n.id
        for n in ast.walk(function)
        if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
