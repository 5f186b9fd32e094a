"""Flax NNX: modules hold variables, which calls update in place."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import ClassVar

from ...schema.parameters import Leaf
from ...schema.resolve.program import Instance
from ..about import result_of
from ..library.allowed import Allowed
from ..nodes import annotation_of, call, lambda_of, name
from .in_place import InPlace, is_pair
from .keys import Keys, Streams
from .members import Layer
from .nnx_layers import library_layer
from .nnx_methods import NnxMethods, read
from .parts import (
    NnxBuffer,
    NnxLoad,
    NnxMethodWithState,
    NnxStacked,
    NnxWithArrays,
    NnxWithState,
)
from .target import Target

VARIABLES = {"param": "nnx.Param", "state": "nnx.BatchStat", "buffer": "Buffer"}


class Nnx(Target):
    """Classes that are `nnx.Module`."""

    NAME = "nnx"
    MODULE = "nnx.Module"
    KEY = ("rngs", "nnx.Rngs")
    EMITS = Allowed(
        {
            "nnx": "from flax import nnx",
            "TypeVar": "from typing import TypeVar",
            "Path": "from pathlib import Path",
            "np": "import numpy as np",
        },
        frozenset(
            {
                "nnx.Module", "nnx.Rngs", "nnx.Param", "nnx.BatchStat", "nnx.Variable",
                "nnx.Linear", "nnx.Embed", "nnx.LayerNorm", "nnx.RMSNorm",
                "nnx.BatchNorm", "nnx.Conv", "nnx.List", "nnx.Dict", "nnx.vmap",
                "nnx.update", "nnx.state", "nnx.clone", "nnx.split", "nnx.merge",
                "nnx.eval_shape", "nnx.State", "nnx.to_flat_state",
                "nnx.from_flat_state", "jax.random.split",
                "jnp.zeros", "jnp.ones", "jnp.issubdtype", "jnp.floating",
            }
        ),
        frozenset({"params", "pop", "dtype", "shape", "replace", "join", "startswith"}),
        frozenset({"isinstance", "map", "str", "enumerate", "range", "tuple"}),
    )  # fmt: skip
    TAKEN = frozenset(
        """
        train eval sow perturb set_attributes iter_modules iter_children
        """.split()  # noqa: SIM905
    )
    KEYS = Streams
    METHODS = NnxMethods
    HELPERS: ClassVar = {
        "Buffer": NnxBuffer,
        "_stacked": NnxStacked,
        "_with_state": NnxWithState,
        "_method_with_state": NnxMethodWithState,
        "_with_arrays": NnxWithArrays,
    }
    LOAD = NnxLoad

    def usage(self, title: str, inputs: Sequence[str], entry: Instance) -> str:
        static = ', static_argnames="train"' if entry.uses_train else ""
        given = ["model", *inputs, *["train=True"] * entry.uses_train]
        function = f"nnx.jit({title}.__call__{static})"
        return f"{result_of(entry)} = {function}({', '.join(given)})"

    def library(self, layer: Layer) -> ast.Call | None:
        return library_layer(layer)

    def array(self, leaf: Leaf, value: ast.expr) -> ast.expr:
        fixed = leaf.kind == "param" and not leaf.trainable
        return call("Buffer" if fixed else VARIABLES[leaf.kind], [value])

    def read(self, n: str, leaf: Leaf) -> ast.expr:
        return read(ast.Attribute(name("self"), n))

    def group(self, members: Mapping[str, ast.expr]) -> ast.expr:
        return call("nnx.Dict", [super().group(members)])

    def items(self, members: Sequence[ast.expr]) -> ast.expr:
        return call("nnx.List", [super().items(members)])

    def mixed(self, n: str, value: ast.expr, kind: str) -> ast.stmt:
        target = ast.Attribute(name("self"), n)
        holder = "nnx.List[Any]" if kind.startswith("list") else "nnx.Dict[Any]"
        return ast.AnnAssign(target, annotation_of(holder), value, simple=0)

    def stacked(
        self, title: str, given: Mapping[str, ast.expr], count: ast.expr, keys: Keys
    ) -> ast.expr:
        one = lambda_of(["rngs"], call(title, [], {**given, "rngs": name("rngs")}))
        return call("_stacked", [one, count, keys.module()])

    def listed(
        self,
        title: str,
        given: Mapping[str, ast.expr],
        count: ast.expr,
        keys: Keys,
        i: ast.Name | None,
    ) -> ast.expr:
        made = call(title, [], {**given, "rngs": keys.module()})
        each = ast.comprehension(i or name("_"), call("range", [count]), [], 0)
        return call("nnx.List", [ast.ListComp(made, [each])])

    def op_method(self, method: ast.FunctionDef) -> ast.FunctionDef:
        return InPlace().visit(method) if is_pair(method.returns) else method
