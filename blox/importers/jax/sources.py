"""A model as a function of its arrays, by the library that wrote it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

import blox as bx
from blox.schema import op_class
from blox.schema.diagnostics import Diagnostic, bounded, quote
from blox.schema.names import name_of

from ..array_names import name_of as source_name
from ..regions import snake
from ..trace import Path
from .frontends.calls import called, require_call
from .frontends.functions import marked_functions
from .frontends.paths import path_of
from .source import Kind, Source

_ALONE = "param"
"""The name of params that are one array."""


def source_of(
    model: Any, params: Any, name: str | None, inputs: Sequence[str] = ()
) -> Source:
    """The model as a function of its arrays, by the library that wrote it.

    Args:
        inputs: the names of what it is called with.

    Raises:
        SpecError: it is none that blox knows.
    """
    wanted = name_of(snake(name or _name(model)))
    if not name and op_class(wanted) is not None:
        wanted = f"{wanted}_model"  # the file may have that op
    if "equinox" in sys.modules:
        from .frontends import eqx

        if eqx.is_model(model) and params is None:
            return eqx.source_of(called, model, wanted)
        if callable(model) and eqx.has_modules(params):
            return eqx.source_of(model, params, wanted)
    if "flax.nnx" in sys.modules:
        from .frontends import nnx

        if nnx.is_model(model) and params is None:
            return nnx.source_of(None, model, wanted, inputs)
        if callable(model) and nnx.is_model(params):
            return nnx.source_of(model, params, wanted, inputs)
    if "flax.linen" in sys.modules:
        from .frontends import linen

        if linen.is_model(model):
            if not isinstance(params, Mapping):
                raise _without(params, "the variables of a module of Linen")
            return linen.source_of(model, params, wanted, inputs)
    if "haiku" in sys.modules:
        from .frontends import hk

        if hk.is_model(model):
            if hk.has_state(model) and not (type(params) is tuple and len(params) == 2):
                raise _without(params, "a tuple of params and state")
            return hk.source_of(model, params, wanted, inputs)
    if not callable(model):
        raise bx.SpecError.one(
            "import-model",
            "",
            f"expected a module of Equinox, Flax or Haiku, or a function, found "
            f"{quote(model)}",
            "bx.from_jax(function, inputs, params)",
        )
    return function_source(model, params, wanted)


def _without(params: Any, wanted: str) -> bx.SpecError:
    return bx.SpecError.one(
        "import-model",
        "params",
        f"expected {wanted}, found {quote(params)}",
        "what model.init(key, x) gives",
    )


def function_source(function: Callable[..., Any], params: Any, name: str) -> Source:
    """A plain function of a tree of arrays, or of one array, and of its inputs.

    Raises:
        SpecError: something in the tree is no array.
    """
    alone = params is not None and jax.tree_util.all_leaves([params])
    arrays = {_ALONE: params} if alone else {} if params is None else params

    def whole(tree: Any) -> Any:
        return tree[_ALONE] if alone else tree

    def call(given: Any, *inputs: Any) -> tuple[Any, Mapping[Path, Any]]:
        first = () if params is None else (whole(given),)
        require_call(function, (*first, *inputs))
        return function(*first, *inputs), {}

    leaves = [
        (path_of(k), x) for k, x in jax.tree_util.tree_flatten_with_path(arrays)[0]
    ]
    _check_arrays(leaves)
    kinds: dict[Path, Kind] = {
        path: "buffer"
        for path, leaf in leaves
        if not jax.numpy.issubdtype(leaf.dtype, jax.numpy.floating)
    }
    code = getattr(function, "__code__", None)
    return Source(
        call, arrays, name, lambda without: marked_functions(code), whole, kinds
    )


def _check_arrays(leaves: Sequence[tuple[Path, Any]]) -> None:
    strange = (
        Diagnostic(
            "import-model",
            source_name(path),
            f"expected an array, found {quote(leaf)}",
            "make it one, jax.numpy.asarray(...), or bind it: functools.partial",
        )
        for path, leaf in leaves
        if not isinstance(leaf, (jax.Array, np.ndarray, np.generic))
    )
    if listed := bounded(strange):
        raise bx.SpecError(listed)


def _name(model: Any) -> str:
    found = getattr(model, "__name__", "") or type(model).__name__
    return found if found.isidentifier() else "model"
