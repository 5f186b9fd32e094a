"""Equinox: modules are frozen dataclasses; new state comes out as a new module."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import ClassVar

from ...schema.dtypes import INEXACT
from ...schema.parameters import Leaf
from ...schema.resolve.program import Instance
from ..about import result_of
from ..library.allowed import Allowed
from ..nodes import annotation_of, call, lambda_of, literal, name, names_in
from ..plan import Plan
from .keys import Keys, Split
from .members import Blueprint, Stored, refused
from .methods import Methods
from .parts import EquinoxKept, EquinoxLoad, EquinoxUpdated
from .places import Place
from .target import Target


def read(node: ast.expr, leaf: Leaf) -> ast.expr:
    """An array, as a constant where it is not trained: Equinox has no kinds of them."""
    fixed = leaf.kind != "state" and not leaf.trainable and leaf.dtype in INEXACT
    return call("jax.lax.stop_gradient", [node]) if fixed else node


class EquinoxMethods(Methods):
    """Methods return new state, as functions do; entries return a new module."""

    def array(self, node: ast.expr, found: Place) -> ast.expr:
        return read(node, found.kind.leaf) if isinstance(found.kind, Stored) else node

    def merged(self, module: ast.expr, state: ast.expr) -> ast.expr:
        return call("_updated", [module, state])

    def kept(self, module: ast.expr, node: ast.Call) -> ast.expr:
        node.args = [module, *node.args[1:]]
        node.func = name("_kept")
        return node

    def call(
        self, plan: Plan, of: Blueprint, module: ast.expr, node: ast.Call
    ) -> ast.expr:
        if plan.is_entry and plan.stateful:
            raise refused(
                plan.first.name,
                "an entry with state that nothing calls",
                "a call of it",
            )
        return super().call(plan, of, module, node)

    @property
    def _gives_module(self) -> bool:
        return self.plan.is_entry and self.plan.stateful

    def visit_Return(self, node: ast.Return) -> ast.Return:
        self.generic_visit(node)
        if self.depth == 0 and self._gives_module:
            assert isinstance(node.value, ast.Tuple)
            value, state = node.value.elts
            module = call("_updated", [name("self"), state])
            node.value = ast.Tuple([value, module])
        return node

    def returned(self, annotation: ast.expr | None) -> ast.expr | None:
        new = super().returned(annotation)
        if self._gives_module and isinstance(new, ast.Subscript):
            assert isinstance(new.slice, ast.Tuple)
            new.slice.elts[1] = name("Self")
        return new


class Equinox(Target):
    """Classes that are `eqx.Module`."""

    NAME = "equinox"
    MODULE = "eqx.Module"
    KEY = ("key", "Array")
    EMITS = Allowed(
        {
            "eqx": "import equinox as eqx",
            "Self": "from typing import Self",
            "TypeVar": "from typing import TypeVar",
            "reduce": "from functools import reduce",
            "Sequence": "from collections.abc import Sequence",
            "Path": "from pathlib import Path",
            "np": "import numpy as np",
        },
        frozenset(
            {
                "eqx.Module", "eqx.field", "eqx.filter_vmap", "eqx.tree_at",
                "eqx.filter_eval_shape", "jax.random.split", "jax.random.key",
                "jax.lax.stop_gradient",
                "jax.tree_util.tree_leaves_with_path", "jax.tree_util.keystr",
                "jax.tree_util.tree_flatten_with_path", "jax.tree_util.tree_unflatten",
                "jnp.zeros", "jnp.ones", "jnp.issubdtype", "jnp.floating",
            }
        ),
        frozenset({"key", "idx", "name", "pop", "dtype", "shape", "startswith"}),
        frozenset({"isinstance", "getattr", "list", "tuple", "dict", "enumerate"}),
    )  # fmt: skip
    KEYS = Split
    METHODS = EquinoxMethods
    HELPERS: ClassVar = {"_updated": EquinoxUpdated, "_kept": EquinoxKept}
    LOAD = EquinoxLoad

    def usage(self, title: str, inputs: Sequence[str], entry: Instance) -> str:
        given = [*inputs, *["train=True"] * entry.uses_train]
        result = ", ".join([result_of(entry), *["model"] * entry.stateful])
        return f"{result} = eqx.filter_jit(model)({', '.join(given)})"

    def array(self, leaf: Leaf, value: ast.expr) -> ast.expr:
        return value

    def read(self, n: str, leaf: Leaf) -> ast.expr:
        return read(ast.Attribute(name("self"), n), leaf)

    def fields(
        self, kinds: Mapping[str, str], static: Mapping[str, str]
    ) -> list[ast.stmt]:
        found: list[ast.stmt] = [
            ast.AnnAssign(name(n), annotation_of(kind), None, simple=1)
            for n, kind in kinds.items()
        ]
        for n, kind in static.items():
            value = call("eqx.field", [], {"static": literal(True)})
            found.append(ast.AnnAssign(name(n), annotation_of(kind), value, simple=1))
        return found

    def stacked(
        self, title: str, given: Mapping[str, ast.expr], count: ast.expr, keys: Keys
    ) -> ast.expr:
        one = lambda_of(["key"], call(title, [], {**given, "key": name("key")}))
        split = call("jax.random.split", [keys.module(), count])
        return call(call("eqx.filter_vmap", [one]), [split])

    def listed(
        self,
        title: str,
        given: Mapping[str, ast.expr],
        count: ast.expr,
        keys: Keys,
        i: ast.Name | None,
    ) -> ast.expr:
        split: ast.expr = call("jax.random.split", [keys.module(), count])
        key = "k"
        while key in set().union(*map(names_in, given.values())):
            key += "_"
        target: ast.expr = name(key)
        if i is not None:
            target = ast.Tuple([i, target])
            split = call("enumerate", [split])
        made = call(title, [], {**given, "key": name(key)})
        return ast.ListComp(made, [ast.comprehension(target, split, [], 0)])
