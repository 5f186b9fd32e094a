"""Moves between arrays of JAX: on their devices, traced too, and nothing written in place.

`carry` has memory of the host to write slices into, and reads what is no array yet.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import jax.numpy as jnp
import numpy as np

from blox.schema import Leaf, ModelError

from .moves import Move
from .spec import Unfit

_At: TypeAlias = tuple[int, ...]
_Part: TypeAlias = tuple[Any, _At]
"""An array and the place of a part in it, which is not taken so far."""


def join(
    moves: Iterable[Move],
    read: Callable[[str], Any],
    leaves: Mapping[str, Leaf],
    rest: Callable[[str], Any],
) -> dict[str, Any]:
    """The arrays that moves make, by path; one that is another as it is, is that object.

    Args:
        moves: of whole arrays and of slices; those to one array have places of one depth.
        read: gives a source by name.
        leaves: of the targets, by path.
        rest: gives an array by path of which moves make some slices alone.

    Raises:
        ModelError: a layout can't be applied to what the arrays hold.
    """
    parts: dict[str, dict[_At, _Part]] = {}
    for move in moves:
        for target, made in zip(move.targets, _made(move, read), strict=True):
            parts.setdefault(target.name, {})[target.at] = made
    found = {}
    for path, placed in parts.items():
        sizes = leaves[path].full_shape[: len(next(iter(placed)))]
        if len(placed) < math.prod(sizes):
            whole = rest(path)
            placed = {at: placed.get(at, (whole, at)) for at in np.ndindex(*sizes)}
        found[path] = _stacked(placed, sizes) if sizes else _one(*placed[()])
    return found


def _made(move: Move, read: Callable[[str], Any]) -> list[_Part]:
    if not move.layouts:
        return [(read(name), at) for name, at in move.sources]
    arrays = [_one(read(name), at) for name, at in move.sources]
    try:
        for layout in move.layouts:
            arrays = layout.forward(arrays)
    except Unfit as error:
        raise ModelError.one("params", move.where, str(error)) from error
    return [(jnp.asarray(array), ()) for array in arrays]


def _one(array: Any, at: _At) -> Any:
    return jnp.asarray(array)[at] if at else array


def _stacked(placed: Mapping[_At, _Part], sizes: _At) -> Any:
    """Parts on leading axes."""
    parts = [placed[place] for place in np.ndindex(*sizes)]
    if any(at for _, at in parts):
        found = _rows(parts)
    else:
        found = jnp.stack([array for array, _ in parts])
    return found.reshape(*sizes, *found.shape[1:])


def _rows(parts: Sequence[_Part]) -> Any:
    """Parts one after another: their arrays are joined, and rows of that chosen."""
    starts: dict[int, int] = {}
    arrays: list[Any] = []
    numbers, count = [], 0
    for array, at in parts:
        lead, inner = np.shape(array)[: len(at)], np.shape(array)[len(at) :]
        if id(array) not in starts:
            starts[id(array)] = count
            arrays.append(jnp.reshape(array, (math.prod(lead), *inner)))
            count += math.prod(lead)
        first = np.ravel_multi_index(at, lead) if at else 0
        numbers.append(starts[id(array)] + int(first))
    found = jnp.concatenate(arrays) if len(arrays) > 1 else arrays[0]
    if numbers == [*range(count)]:
        return found
    return jnp.take(found, np.array(numbers, np.int32), axis=0, mode="clip")
