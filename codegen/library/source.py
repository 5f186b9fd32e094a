"""The source of an op: a function of JAX by alias, a function of ours as a tree."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from ..nodes import (
    Known,
    clone,
    is_atom,
    is_read,
    is_stored,
    names_in,
    names_in_order,
)
from ..walk import dumped, walk
from .fold import Folder


@dataclass
class OpSource:
    """How an op is written: an alias (`jax.nn.silu`) or a function of ours."""

    name: str
    alias: ast.expr | None = None
    function: ast.FunctionDef | None = None
    inline: bool = False
    decorated: bool = False
    """True of a function with a decorator that changes what it does."""
    of_blox: bool = True
    """False for an op of a third party."""
    helpers: frozenset[str] = frozenset()
    """The functions of its module: an expression that calls one can't stand alone."""
    _templates: dict[object, ast.expr | None] = field(default_factory=dict)

    @property
    def tree(self) -> ast.AST:
        tree = self.alias if self.function is None else self.function
        assert tree is not None
        return tree

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
        self,
        operands: Mapping[str, ast.expr],
        others: Mapping[str, ast.expr],
        leading: Callable[[str], ast.Tuple | None] = lambda _: None,
    ) -> ast.expr | None:
        """The op's one expression over these values, None where a call of it is written.

        Operands that compute something have to stand there once and in order; `leading`
        gives the sizes of one but for the last, where they are known without it.
        """
        if not self._may_be_one:
            return None
        values = {**operands, **others}
        held = {
            k: v if _decides(v) and (k in others or is_atom(v)) else ast.Name(f"@{k}")
            for k, v in values.items()
        }
        template = self._template(held)
        if template is None:
            return None
        computed = [f"@{k}" for k, v in operands.items() if not is_read(v)]
        if computed:
            template = _Leading(computed, leading).visit(clone(template))
        if [n for n in names_in_order(template) if n in computed] != computed:
            return None
        put = {f"@{k}": v for k, v in values.items()}
        result: ast.expr = Folder(put).visit(clone(template))
        return result

    @cached_property
    def _may_be_one(self) -> bool:
        """True of a function that may turn out to be one expression."""
        if self.function is None:
            return False
        has_branch = any(isinstance(s, ast.If) for s in self.function.body)
        changed = assigned(self.function) & {*self.parameters}
        return (self.inline or has_branch) and not changed

    def _template(self, held: Mapping[str, ast.expr]) -> ast.expr | None:
        """The one expression over these values, which is the same for many nodes."""
        assert self.function is not None
        key = tuple((k, dumped(v)) for k, v in held.items())
        if key not in self._templates:
            defaults = {k: d for k, d in self.parameters.items() if d is not None}
            body = [s for s in self.function.body if not _is_docstring(s)]
            folder = Folder({**defaults, **held})
            match folder.block(copy.deepcopy(body)):
                case [ast.Return(value=ast.expr() as value)] if self.helpers.isdisjoint(
                    names_in(value)
                ):
                    self._templates[key] = value
                case _:
                    self._templates[key] = None
        return self._templates[key]


class _Leading(ast.NodeTransformer):
    """Puts sizes in place of `x.shape[:-1]` of what computes."""

    def __init__(
        self, computed: Sequence[str], leading: Callable[[str], ast.Tuple | None]
    ) -> None:
        self.computed, self.leading = computed, leading

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        self.generic_visit(node)
        match node:
            case ast.Subscript(
                value=ast.Attribute(value=ast.Name(id=text), attr="shape"),
                slice=ast.Slice(
                    lower=None,
                    upper=ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=1)),
                    step=None,
                ),
            ) if text in self.computed:
                return self.leading(text[1:]) or node
        return node


_DECIDING = (
    ast.Constant, ast.UnaryOp, ast.BinOp, ast.Tuple, ast.List, ast.Attribute, Known
)  # fmt: skip


def _decides(value: ast.expr) -> bool:
    """True of a value that may decide a branch: a number, a text, a tuple of sizes."""
    return isinstance(value, _DECIDING)


def assigned(function: ast.FunctionDef) -> set[str]:
    """The names that a function gives a value to."""
    return {n.id for n in walk(function) if isinstance(n, ast.Name) and is_stored(n)}


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
