"""`jax.vmap` of a function over arrays of the model, one set for each lane: an ensemble.

Such a function is traced for one lane, as a loop that carries nothing, in place of
equations of all lanes at once. So its layers are those of one member, and the loop is a
`map` with a count.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.api_util import flatten_axes

from .internals import is_tracer

FEWEST = 2
"""The arrays of a member at least: with one it is a product with more axes."""


@contextmanager
def members_apart(arrays: Sequence[Any]) -> Iterator[None]:
    """Calls of what `jax.vmap` gives are loops over members, where they are ensembles.

    Args:
        arrays: of the model, as they are traced.
    """
    own = jax.vmap
    signature = inspect.signature(own)
    known = {id(array) for array in arrays}

    @functools.wraps(own)
    def vmap(fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        batched = own(fun, *args, **kwargs)
        options = signature.bind(fun, *args, **kwargs)
        options.apply_defaults()

        @functools.wraps(batched)
        def call(*given: Any, **named: Any) -> Any:
            lanes = _lanes(fun, options.arguments, given, named, known)
            return batched(*given, **named) if lanes is None else lanes.run()

        return call

    jax.vmap = vmap
    try:
        yield
    finally:
        jax.vmap = own


@dataclass(frozen=True)
class _Lanes:
    """The call of an ensemble.

    Args:
        member: what a lane gives, of its own arrays.
        arrays: those of all lanes, on the first axis.
        structure: of what a lane gives.
        axes: where the lanes lie in what is wanted.
    """

    member: Callable[..., Any]
    arrays: Sequence[Any]
    structure: Any
    axes: Sequence[int]

    def run(self) -> Any:
        """What all lanes give."""

        def step(nothing: tuple[()], own: Sequence[Any]) -> Any:
            return nothing, jax.tree.leaves(self.member(*own))

        _, found = lax.scan(step, (), list(self.arrays))
        placed = [
            y if axis == 0 else jnp.moveaxis(y, 0, axis)
            for y, axis in zip(found, self.axes, strict=True)
        ]
        return jax.tree.unflatten(self.structure, placed)


def _lanes(
    fun: Callable[..., Any],
    options: dict[str, Any],
    given: Sequence[Any],
    named: dict[str, Any],
    known: set[int],
) -> _Lanes | None:
    """The call as that of an ensemble: every array of the model in it has the lanes first,
    and something else flows in; None where it is another."""
    leaves, structure = jax.tree.flatten((tuple(given), named))
    if options["axis_name"] is not None or not any(id(x) in known for x in leaves):
        return None
    in_axes = options["in_axes"]
    in_axes = tuple(in_axes) if isinstance(in_axes, list) else in_axes
    try:
        axes = flatten_axes("vmap in_axes", structure, (in_axes, 0), kws=True)
    except ValueError:  # JAX says why
        return None
    own = [axis for x, axis in zip(leaves, axes, strict=True) if id(x) in known]
    if len(own) < FEWEST or any(axis != 0 for axis in own):
        return None
    places = [i for i, axis in enumerate(axes) if axis is not None]
    if not all(_is_array(leaves[i]) and type(axes[i]) is int for i in places):
        return None
    arrays = [
        jnp.moveaxis(leaves[i], axes[i], 0) if axes[i] else leaves[i] for i in places
    ]
    if not any(a.ndim > 2 for a in arrays):
        return None

    def member(*lane: Any) -> Any:
        filled = list(leaves)
        for place, array in zip(places, lane, strict=True):
            filled[place] = array
        args, kwargs = jax.tree.unflatten(structure, filled)
        return fun(*args, **kwargs)

    specs = [jax.ShapeDtypeStruct(a.shape[1:], a.dtype) for a in arrays]
    closed, found = jax.make_jaxpr(member, return_shape=True)(*specs)
    captured = [c for c in closed.consts if is_tracer(c)]
    if any(id(c) in known for c in captured) or (
        not captured and len(own) == len(places)
    ):
        return None
    made = jax.tree.structure(found)
    out_axes = flatten_axes("vmap out_axes", made, options["out_axes"])
    if not all(type(axis) is int for axis in out_axes):
        return None
    return _Lanes(member, arrays, made, out_axes)


def _is_array(value: Any) -> bool:
    """True of an array that is no key."""
    dtype = getattr(value, "dtype", None)
    return dtype is not None and not jnp.issubdtype(dtype, jax.dtypes.prng_key)
