"""The variables of a layer of Flax Linen, and whether it computes as any other does."""

from __future__ import annotations

from typing import Any

from flax.core import meta
from flax.linen import dtypes

from .dense import is_plain as is_uncast


def array(module: Any, name: str, collection: str = "params") -> Any:
    """A variable of the module; None where there is none."""
    if not module.has_variable(collection, name):
        return None
    return meta.unbox(module.get_variable(collection, name))


def is_plain(m: Any, x: Any, *arrays: Any) -> bool:
    """True where the layer computes as any other does: in the dtype of x, by JAX's own
    functions."""
    return (
        is_uncast(x, *arrays, dtype=m.dtype)
        and getattr(m, "precision", None) is None
        and getattr(m, "preferred_element_type", None) is None
        and getattr(m, "promote_dtype", dtypes.promote_dtype) is dtypes.promote_dtype
    )
