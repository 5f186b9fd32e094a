"""From the tensors of a file to Params in the layout of the Graph."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from blox.schema.resolve.trees import Tree
from blox.weights import Headers, load_flat
from blox.weights.layout import ALIGNMENT

from .stacking import Index, Piece

if TYPE_CHECKING:
    import jax
    import numpy as np


def assemble(
    headers: Headers,
    pieces: Mapping[str, list[Piece]],
    shapes: Mapping[str, tuple[int, ...]],
    *,
    mmap: bool,
    progress: bool,
) -> dict[str, jax.Array]:
    """The array of every graph path, without a copy where its tensor is as it is to be.

    Args:
        headers: of the weights; they fit.
        pieces: of `fit`, by graph path.
        shapes: of the arrays, by graph path.
        mmap: see `load_flat`; copies that are put together are copied in any case.
        progress: see `load_flat`.
    """
    import jax

    plain = {p: part[0].name for p, part in pieces.items() if part == [Piece(p)]}
    others = {p: parts for p, parts in pieces.items() if p not in plain}
    # One name may serve several paths, but not both here and there.
    arrays = load_flat(headers, plain.values(), mmap=mmap, progress=progress)
    if not others:
        return arrays
    names = dict.fromkeys(piece.name for parts in others.values() for piece in parts)
    with _on_host():
        tensors = load_flat(headers, names, mmap=mmap, progress=progress)
    made = [_put_together(parts, shapes[p], tensors) for p, parts in others.items()]
    del tensors
    arrays |= zip(others, jax.device_put(made), strict=True)
    return {path: arrays[path] for path in pieces}


def _on_host() -> AbstractContextManager[Any]:
    import jax

    try:
        host = jax.local_devices(backend="cpu")[0]
    except RuntimeError:  # JAX_PLATFORMS without cpu
        return nullcontext()
    context: AbstractContextManager[Any] = jax.default_device(host)
    return context


def _put_together(
    parts: list[Piece], shape: tuple[int, ...], tensors: Mapping[str, jax.Array]
) -> np.ndarray[Any, Any]:
    import numpy as np

    found = {part.name: np.asarray(tensors[part.name]) for part in parts}
    first = found[parts[0].name]
    if len(parts) == 1 and all(i is None for i in parts[0].into):
        view: np.ndarray[Any, Any] = first[_index(parts[0].of)]
        return view
    array = _aligned(shape, first.dtype)
    for part in parts:
        array[_index(part.into)] = found[part.name][_index(part.of)]
    return array


def _index(index: Index) -> tuple[Any, ...]:
    return tuple(slice(None) if i is None else i for i in index)


def _aligned(shape: tuple[int, ...], dtype: Any) -> np.ndarray[Any, Any]:
    """Memory that `jax.device_put` takes over as it is, on CPU."""
    import numpy as np

    nbytes = math.prod(shape) * dtype.itemsize
    buffer = np.empty(nbytes + ALIGNMENT, np.uint8)
    offset = -buffer.ctypes.data % ALIGNMENT
    array: np.ndarray[Any, Any] = buffer[offset : offset + nbytes].view(dtype)
    return array.reshape(shape)


def grow(tree: Tree, arrays: Mapping[str, jax.Array], path: str = "") -> Any:
    """Params in the nesting of `tree`, as `bx.init` makes them."""
    if isinstance(tree, dict):
        return {
            name: grow(part, arrays, f"{path}.{name}" if path else name)
            for name, part in tree.items()
        }
    if isinstance(tree, list):
        return [grow(part, arrays, f"{path}.{i}") for i, part in enumerate(tree)]
    return arrays[path]
