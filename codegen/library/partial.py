"""Partial evaluation: the body of an op with all in it that a file already knows."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ..nodes import Known, is_stored, literal, names_in
from ..walk import walk
from .abstract import PRESENT, Unknown
from .expressions import (
    arguments_of,
    bound,
    filled,
    is_docstring,
    is_known,
    is_none,
    is_rank,
    joined_lists,
    negated,
    says_array,
    speaks_of_sizes,
)
from .fold import Folder
from .ranks import rank, without_ellipsis


class Specializer(Folder):
    """Folds a body in order: locals that are known vanish, as do calls of helpers.

    Args:
        values, present, put, facts: as of `Folder`.
        functions: those of the module, which may be written in place of calls.
        idle: parameters that have their defaults at every use: a keyword that only
            hands one on says what the called function has by default.
    """

    def __init__(
        self,
        values: Mapping[str, Any],
        present: Sequence[str] = (),
        *,
        put: Mapping[str, ast.expr] | None = None,
        facts: Mapping[str, Any] | None = None,
        functions: Mapping[str, ast.FunctionDef] | None = None,
        idle: frozenset[str] | None = None,
    ) -> None:
        super().__init__(values, present, put=put, facts=facts)
        self.functions = functions or {}
        self.idle = idle
        self.locals: dict[str, ast.expr] = {}
        self.arrays: set[str] = set()
        """Locals that are what a helper returns or a function within takes: arrays."""
        self.filled: set[str] = set()
        """Lists that get items one by one."""

    def run(self, body: Sequence[ast.stmt]) -> list[ast.stmt]:
        """The statements of a function, folded; those given stay as they are."""
        self.filled = filled(body)
        return self.block(copy.deepcopy(list(body)))

    # What is known of locals

    def evaluate(self, node: ast.expr) -> Any:
        match node:
            case ast.Name(id=text) if text in self.arrays:
                return PRESENT
            case ast.Name(id=text) if text in self.locals:
                return self.evaluate(self.locals[text])
            case ast.Attribute(value=ast.Name(id=text)) if text in self.locals:
                return self.evaluate(ast.Attribute(self.locals[text], node.attr))
        return super().evaluate(node)

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if is_stored(node):
            return node
        if node.id in self.locals:
            return copy.deepcopy(self.locals[node.id])
        return super().visit_Name(node)

    def _forget(self, names: set[str]) -> None:
        self.arrays -= names
        for name in names:
            self.locals.pop(name, None)
            for fact in [f for f in self.facts if f.partition(".")[0] == name]:
                del self.facts[fact]
        for name in [n for n, v in self.locals.items() if names_in(v) & names]:
            del self.locals[name]

    # Statements

    def visit_Assign(self, node: ast.Assign) -> ast.stmt:
        node.value = self.visit(node.value)
        node.targets = [self.visit(target) for target in node.targets]
        self._bind(node.targets[0], node.value)
        return node

    def visit_Return(self, node: ast.Return) -> Any:
        """The statements of a helper, in place of a call that a function ends with."""
        if node.value is not None:
            node.value = self.visit(node.value)
        match node.value:
            case ast.Call(func=ast.Name(id=name)) as call if name in self.functions:
                uses = [f for f in self.functions.values() if name in names_in(f)]
                if len(uses) == 1:
                    written = self._written(call, self.functions[name], sums=True)
                    return written or node
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt:
        if node.value is not None:
            value: ast.expr = self.visit(node.value)
            node.value = value
            self._bind(node.target, value)
        return node

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.stmt:
        node.value = self.visit(node.value)
        self._forget(bound([node]))
        return node

    def _bind(self, target: ast.expr, value: ast.expr) -> None:
        axes = rank(value, self.facts)
        self._forget(bound([target]))
        if isinstance(target, ast.Name) and axes is not None:
            self.facts[f"{target.id}.ndim"] = axes
        own = isinstance(target, ast.Name) and target.id in names_in(value)
        fixed = isinstance(target, ast.Name) and target.id not in self.filled
        if isinstance(target, ast.Name) and fixed and not own and is_known(value):
            self.locals[target.id] = value
        if isinstance(target, ast.Name) and self._is_array(value):
            self.arrays.add(target.id)

    def _is_array(self, value: ast.expr) -> bool:
        """True of the call of a helper that says so."""
        match value:
            case ast.Call(func=ast.Name(id=name)) if name in self.functions:
                return says_array(self.functions[name].returns)
        return False

    def visit_If(self, node: ast.If) -> Any:
        known = self.decide(node.test)
        if known is None:
            node.test = self.visit(node.test)
            known = self.decide(node.test)
        if known is not None:
            return self.block(node.body if known else node.orelse)
        changed = bound([node])
        before = dict(self.locals), dict(self.facts)
        node.body = self.block(node.body)
        self.locals, self.facts = dict(before[0]), dict(before[1])
        node.orelse = self.block(node.orelse)
        self.locals, self.facts = before
        self._forget(changed)
        if not node.body and node.orelse:
            node.test, node.body, node.orelse = negated(node.test), node.orelse, []
        return node if node.body else []

    def visit_For(self, node: ast.For) -> Any:
        node.iter = self.visit(node.iter)
        if isinstance(node.iter, ast.Tuple | ast.List) and not node.iter.elts:
            return []
        changed = bound([node])
        self._forget(changed)
        node.body = self.block(node.body)
        self._forget(changed)
        return node if node.body else []

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.stmt:
        with self._inside({a.arg for a in walk(node) if isinstance(a, ast.arg)}):
            own = node.args.args
            self.arrays |= {a.arg for a in own if says_array(a.annotation)}
            node.body = self.block(node.body)
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.expr:
        with self._inside({a.arg for a in walk(node) if isinstance(a, ast.arg)}):
            node.body = self.visit(node.body)
        return node

    @contextmanager
    def _inside(self, hidden: set[str]) -> Iterator[None]:
        """Within a function of its own, which may run when locals have other values."""
        before = self.locals, self.facts, self.values, self.put
        arrays, self.arrays = self.arrays, set()
        self.locals, self.facts = {}, {}
        self.values = {k: v for k, v in self.values.items() if k not in hidden}
        self.put = {k: v for k, v in self.put.items() if k not in hidden}
        yield
        self.locals, self.facts, self.values, self.put = before
        self.arrays = arrays

    # Expressions

    def generic_visit(self, node: ast.AST) -> ast.AST:
        found = super().generic_visit(node)
        if isinstance(found, ast.BinOp | ast.JoinedStr) or is_rank(found):
            assert isinstance(found, ast.expr)
            return self._folded(found)
        return found

    def _folded(self, node: ast.expr, sizes: bool = False) -> ast.expr:
        """The value of an expression, where it is known and not a size of an array."""
        try:
            if not sizes and speaks_of_sizes(node):
                raise Unknown
            value = self.known(node)
        except Unknown:
            return joined_lists(node) if isinstance(node, ast.BinOp) else node
        named = any(isinstance(n, Known) for n in walk(node))
        return node if named or isinstance(value, float) else literal(value)

    def visit_ListComp(self, node: ast.ListComp) -> ast.expr:
        node.generators[0].iter = self.visit(node.generators[0].iter)
        found = self._folded(node, sizes=True)
        if isinstance(found, ast.ListComp):
            with self._inside(bound(found.generators)):
                found.elt = self.visit(found.elt)
        return found

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        found = super().visit_Subscript(node)
        if not isinstance(found, ast.Subscript):
            return found
        if isinstance(found.value, ast.Constant | ast.Dict):
            return self._folded(found)
        return without_ellipsis(found, self.facts)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        own = self.idle is not None
        given = [k for k in node.keywords if not (own and self._is_default(k.value))]
        stated = {k.arg for k in given if is_none(k.value)}
        node.keywords = given
        found = super().visit_Call(node)
        if not isinstance(found, ast.Call):
            return found
        if own:
            found.keywords = [
                k for k in found.keywords if not is_none(k.value) or k.arg in stated
            ]
        if isinstance(found.func, ast.Name) and found.func.id in self.functions:
            return self._in_place(found, self.functions[found.func.id])
        return self._folded(found)

    def _is_default(self, value: ast.expr) -> bool:
        return isinstance(value, ast.Name) and value.id in (self.idle or ())

    def _in_place(self, call: ast.Call, function: ast.FunctionDef) -> ast.expr:
        """What a helper returns, where that is one expression over its arguments."""
        match self._written(call, function):
            case [*before, ast.Return(value=ast.expr() as result)]:
                read = names_in(result)
                done = all(
                    isinstance(s, ast.Assign | ast.AnnAssign) and not read & bound([s])
                    for s in before
                )
                return result if done else call
        return call

    def _written(
        self, call: ast.Call, function: ast.FunctionDef, *, sums: bool = False
    ) -> list[ast.stmt] | None:
        """The statements of a helper for the arguments of a call, if they may stand there."""
        given = arguments_of(call, function, sums=sums)
        if given is None:
            return None
        free = frozenset[str]().union(*map(names_in, given.values()))
        body = [s for s in function.body if not is_docstring(s)]
        if free & bound(body) or given.keys() & bound(body):
            return None
        values: dict[str, Any] = {}
        facts: dict[str, Any] = {}
        for name, value in given.items():
            try:
                found = self.attempt(value)
            except Unknown:
                found = PRESENT
            if found is not PRESENT:
                values[name] = found
            if isinstance(value, ast.Name):
                facts |= {
                    f"{name}.{fact.partition('.')[2]}": known
                    for fact, known in self.facts.items()
                    if fact.partition(".")[0] == value.id
                }
        present = [
            n
            for n, v in given.items()
            if isinstance(v, ast.Name) and v.id in self.present | self.arrays
        ]
        functions = {k: f for k, f in self.functions.items() if f is not function}
        inner = Specializer(
            values, present, put=given, facts=facts, functions=functions, idle=self.idle
        )
        return inner.run(body)
