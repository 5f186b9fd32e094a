"""All items of a batch that `jax.vmap` takes one by one, whatever its size: JAX's own
collectives want a number for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from ..internals import Primitive, when_batched

gather_p = Primitive("blox_gather")


def gathered(x: Any, names: str | Sequence[str]) -> Any:
    """x (...) of each item -> (size, ...), one axis in front for each of the names."""
    for name in [names] if isinstance(names, str) else names:
        x = gather_p.bind(x, name=name)
    return x


def _shape(x: Any, *, name: str) -> Any:
    raise NameError(f"unbound axis name: {name}")


def _batched(
    around: Any, size: Any, arrays: Sequence[Any], axes: Sequence[Any], *, name: str
) -> tuple[Any, Any]:
    (x,), (axis,) = arrays, axes
    if around != name:
        return gather_p.bind(x, name=name), None if axis is None else axis + 1
    if axis is None:
        return jnp.broadcast_to(x, (size, *x.shape)), None
    return jnp.moveaxis(x, axis, 0), None


gather_p.def_abstract_eval(_shape)
when_batched(gather_p, _batched)
