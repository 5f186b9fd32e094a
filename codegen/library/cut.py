"""One function of the library as a file needs it: what its uses have in common is in it."""

from __future__ import annotations

import ast
import copy
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ...schema.syntax import parsed_expression
from ..nodes import is_same, names_in
from ..walk import dumped
from .abstract import Unknown, one_or_each
from .annotations import members, narrowed, type_of
from .evaluate import Evaluator, value_of
from .formula import without_terms
from .partial import Specializer
from .source import OpSource, assigned
from .tidy import tidy, without_asarray
from .use import Cut, Use


@dataclass
class Cutter:
    """Cuts a function to its uses.

    Args:
        source: the function.
        uses: its uses that differ. None of them: it stays as it is.
        calls: how many calls give an attribute a value, by its text.
        functions: those of its module, for what it calls.
    """

    source: OpSource
    uses: Sequence[Use]
    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    functions: Mapping[str, ast.FunctionDef] = field(default_factory=dict)

    @cached_property
    def function(self) -> ast.FunctionDef:
        assert self.source.function is not None
        return self.source.function

    @cached_property
    def annotations(self) -> dict[str, ast.expr | None]:
        return {a.arg: a.annotation for a in _arguments(self.function)}

    @cached_property
    def given(self) -> dict[str, list[ast.expr]]:
        """The values of attributes that have one at every use, and are not assigned to."""
        found: dict[str, list[ast.expr]] = {}
        for name, default in self.source.parameters.items():
            values = [
                None
                if name in use.present | use.maybe
                else use.attributes.get(name, default)
                for use in self.uses
            ]
            known = [v for v in values if v is not None]
            if len(known) == len(values) > 0 and name not in self._assigned:
                found[name] = known
        return found

    @cached_property
    def _assigned(self) -> set[str]:
        return assigned(self.function)

    @cached_property
    def same(self) -> dict[str, ast.expr]:
        """Attributes that are one constant at all uses.

        A constant of the file that is called as a local of the function stays outside.
        """
        own = self._assigned | self.annotations.keys()
        return {
            name: values[0]
            for name, values in self.given.items()
            if len({dumped(v) for v in values}) == 1
            and is_constant(values[0])
            and own.isdisjoint(names_in(values[0]))
        }

    @cached_property
    def known(self) -> dict[str, Any]:
        """What attributes are at all uses, or at each of them."""
        found: dict[str, Any] = dict(self.same)
        for name, values in self.given.items():
            if name not in found:
                try:
                    found[name] = one_or_each([value_of(v) for v in values])
                except Unknown:
                    continue
        return found

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What is known of operands at all uses, or at each of them."""
        found: dict[str, Any] = {
            f"{name}.ndim": 0
            for name, values in self.given.items()
            if name in self.known
            and all(isinstance(value_of(v), (int, float)) for v in values)
        }
        for fact in self.uses[0].facts if self.uses else ():
            values = [use.facts[fact] for use in self.uses if fact in use.facts]
            if len(values) == len(self.uses):
                found[fact] = one_or_each(values)
        return found

    @cached_property
    def settings(self) -> dict[str, ast.expr]:
        """Constants that stay parameters, with a default, as `eps` does."""
        return {
            name: value
            for name, value in self.same.items()
            if "float" in members(self.annotations[name])
            and isinstance(value_of(value), (int, float))
        }

    @cached_property
    def single(self) -> dict[str, str]:
        """Attributes that are a list of one item at every use, and the type of it."""
        found: dict[str, str] = {}
        for name, values in self.given.items():
            items = [
                v.elts[0]
                for v in values
                if isinstance(v, ast.Tuple) and len(v.elts) == 1
            ]
            if name in self.same or len(items) < len(values) or name not in self.known:
                continue
            types = {type_of(value_of(item)) for item in items}
            if len(types) == 1 and "" not in types:
                (found[name],) = types
        return found

    @cached_property
    def always(self) -> frozenset[str]:
        """Parameters with a default that have an array at every use."""
        return frozenset(
            name
            for name, default in self.source.parameters.items()
            if self.uses
            and default is not None
            and all(name in use.present for use in self.uses)
        )

    def body(self, *, whole: bool = False) -> list[ast.stmt]:
        """The statements, folded; `whole`: with settings in place too."""
        put = {k: v for k, v in self.same.items() if whole or k not in self.settings}
        idle = self._idle(put)
        put |= {k: ast.Tuple([ast.Name(k, ast.Load())]) for k in self.single}
        folder = Specializer(
            self.known,
            [*self.always],
            put=put,
            facts=self.facts,
            functions=self.functions if self.uses else {},
            idle=idle if self.source.of_blox else None,
        )
        body = tidy(folder.run(self.function.body))
        return without_asarray(body, self._arrays) if self.source.of_blox else body

    @property
    def _arrays(self) -> frozenset[str]:
        """Operands that are arrays wherever they are there."""
        operands = frozenset[str]().union(*(use.positional for use in self.uses))
        numbers = frozenset[str]().union(*(use.numbers for use in self.uses))
        return operands - numbers - self._assigned

    def _idle(self, put: Mapping[str, ast.expr]) -> frozenset[str]:
        """Those that have the default of the function."""
        defaults = self.source.parameters
        return frozenset(
            name
            for name, value in put.items()
            if (default := defaults[name]) is not None and is_same(default, value)
        )

    def cut(self) -> Cut:
        node = copy.deepcopy(self.function)
        node.body = without_terms(self.body(), self._absent())
        read = frozenset[str]().union(*map(names_in, node.body))
        folded = {k for k in self.same if k not in self.settings}
        unread = {k for k in self.given if k not in read}
        dropped = frozenset(folded | unread)
        defaults = {k: v for k, v in self.settings.items() if k not in dropped}
        defaults |= self._usual(dropped)
        node.args = self._parameters(dropped, defaults)
        for arg in _arguments(node):
            if arg.annotation is not None:
                arg.annotation = self._narrowed(arg.arg, arg.annotation)
        return Cut(node, dropped, defaults, frozenset(self.single))

    def _absent(self) -> list[str]:
        """Arrays that no use gives."""
        return [
            name
            for name, value in self.same.items()
            if isinstance(value, ast.Constant)
            and value.value is None
            and "Array" in members(self.annotations[name])
        ]

    def _usual(self, dropped: frozenset[str]) -> dict[str, ast.expr]:
        """The constant that at least half of the calls give an attribute that differs."""
        found: dict[str, ast.expr] = {}
        for name, values in self.given.items():
            if name in dropped or name in self.same:
                continue
            texts = {dumped(v): v for v in values if is_constant(v)}
            counts = {t: n for (k, t), n in self.calls.items() if k == name}
            best = max(texts, key=lambda text: counts.get(text, 0), default=None)
            if best is not None and 2 * counts.get(best, 0) >= sum(counts.values()):
                value = texts[best]
                if name in self.single and isinstance(value, ast.Tuple):
                    value = value.elts[0]
                found[name] = value
        return found

    def _parameters(
        self, dropped: frozenset[str], defaults: Mapping[str, ast.expr]
    ) -> ast.arguments:
        """The parameters that are left, each with a default if some use leaves it out.

        Operands go by position, None where one is absent before others, so that those
        before one that is always there need no default. Parameters go by name: one
        without a default that follows one with a default can only be given so.
        """
        old = copy.deepcopy(self.function.args)
        positional = frozenset[str]().union(*(u.positional for u in self.uses))
        new = ast.arguments(
            posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[]
        )
        last = max(
            (i for i, a in enumerate(old.args) if a.arg in self.always & positional),
            default=-1,
        )
        for i, (arg, default) in enumerate(_paired(old.args, old.defaults)):
            if arg.arg in dropped:
                continue
            given = i <= last if arg.arg in positional else arg.arg in self.always
            default = None if given else default
            if default is None and new.defaults:
                new.kwonlyargs.append(arg)
                new.kw_defaults.append(None)
            else:
                new.args.append(arg)
                new.defaults += [default] if default is not None else []
        for arg, default in zip(old.kwonlyargs, old.kw_defaults, strict=True):
            if arg.arg not in dropped:
                new.kwonlyargs.append(arg)
                own = default if not self.uses else defaults.get(arg.arg)
                new.kw_defaults.append(own)
        return new

    def _narrowed(self, name: str, annotation: ast.expr) -> ast.expr:
        """The parts of a union that the values given are of."""
        if name in self.single:
            return parsed_expression(self.single[name])
        values = self.given.get(name) if name in self.known else None
        kept = [] if values is None else [value_of(v) for v in values]
        return narrowed(
            annotation,
            kept,
            is_there=name in self.always,
            is_array=name in self._arrays,
        )


def is_constant(node: ast.expr) -> bool:
    try:
        Evaluator({}).evaluate(node)
    except Exception:
        return False
    return True


def _arguments(function: ast.FunctionDef) -> list[ast.arg]:
    return [*function.args.args, *function.args.kwonlyargs]


def _paired(
    args: list[ast.arg], defaults: list[ast.expr]
) -> list[tuple[ast.arg, ast.expr | None]]:
    padded: list[ast.expr | None] = [None] * (len(args) - len(defaults))
    return list(zip(args, padded + list(defaults), strict=True))
