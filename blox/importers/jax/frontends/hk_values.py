"""The arrays of layers of Haiku, and the axis of their features."""

from __future__ import annotations

from typing import Any

import haiku as hk
import jax.numpy as jnp

from ...trace import Path
from ..internals import is_tracer
from .functions import leaves_of as leaves_of_tree


def param(m: Any, name: str) -> Any:
    """A parameter of the module that is being called; None where there is none."""
    return m.params_dict().get(f"{m.module_name}/{name}")


def first(m: Any, x: Any, flat: int) -> Any:
    """The input with its features last, and whether they were first; a bias of any shape
    as one axis.

    Args:
        flat: the rank of x without a batch.
    """
    return jnp.moveaxis(x, -flat, -1) if m.channel_index != -1 else x


def back(m: Any, y: Any, flat: int) -> Any:
    if y is NotImplemented or m.channel_index == -1:
        return y
    return jnp.moveaxis(y, -1, -flat)


def flat(bias: Any) -> Any:
    return None if bias is None else jnp.reshape(bias, (-1,))


def leaves_of(tree: Any) -> list[tuple[Path, Any]]:
    """The arrays of a module that is being applied, or of a tree."""
    if not isinstance(tree, hk.Module):
        return leaves_of_tree(tree)
    try:
        arrays = {**tree.params_dict(), **tree.state_dict()}
    except (AttributeError, ValueError):
        return []
    start = len([p for p in tree.module_name.split("/") if p != "~"])
    found = [([p for p in n.split("/") if p != "~"], x) for n, x in arrays.items()]
    return [(tuple(parts[start:]), x) for parts, x in found if is_tracer(x)]
