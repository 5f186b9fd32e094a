"""The variables of layers of Flax NNX, and whether a layer computes as any other does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
from flax import nnx
from flax.nnx.nn import dtypes

from ...trace import Path
from ..internals import is_tracer
from .dense import is_plain as is_uncast
from .paths import path_of


def value(variable: Any) -> Any:
    """The array of a variable; None where there is none."""
    return None if variable is None else variable[...]


def is_plain(m: Any, x: Any, *arrays: Any) -> bool:
    """True where the layer computes as any other does: in the dtype of x, by JAX's own
    functions."""
    return (
        is_uncast(x, *arrays, dtype=m.dtype)
        and getattr(m, "precision", None) is None
        and getattr(m, "preferred_element_type", None) is None
        and getattr(m, "promote_dtype", None) is dtypes.promote_dtype
    )


def leaves_of(tree: Any) -> list[tuple[Path, Any]]:
    """The arrays in a module, or in a tree with modules, that are being traced."""
    try:
        leaves = jax.tree_util.tree_flatten_with_path(tree, is_leaf=is_variable)[0]
    except (TypeError, ValueError):
        return []
    found = [(named(path_of(k)), array_of(v)) for k, v in leaves]
    return [(path, array) for path, array in found if is_tracer(array)]


def is_variable(tree: Any) -> bool:
    return isinstance(tree, nnx.Variable)


def array_of(leaf: Any) -> Any:
    return leaf.get_raw_value() if is_variable(leaf) else leaf


def named(path: Sequence[Any]) -> Path:
    """A path of NNX as names; keys that are paths themselves, as those of norms of weights,
    are one name, and statistics by such keys lie beside the layer."""
    parts = list(path)
    if len(parts) > 1 and isinstance(parts[-1], tuple) and parts[-2] == "batch_stats":
        del parts[-2]
    return tuple(map(_part, parts))


def _part(part: Any) -> str | int:
    if isinstance(part, (str, int)):
        return part
    return "_".join(map(str, part)) if isinstance(part, tuple) else str(part)
