"""A `lax.switch`: as a `lax.cond`, picked by an integer."""

from __future__ import annotations

import jax.numpy as jnp

from blox.schema.ops.control import Switch

from ..values import Value
from .base import Control, Rule
from .cond import branches


def rule(node: Control[Switch]) -> Rule:
    index = node.scalar("index")
    if index is not None and not _is_integer(index):
        node.fault(f"expected an integer, found {index}", "index")
    return (yield from branches(node))


def _is_integer(value: Value) -> bool:
    if value.literal is not None:
        return isinstance(value.literal, int)
    return value.dtype is None or bool(jnp.issubdtype(value.dtype, jnp.integer))
