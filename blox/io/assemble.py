"""From the tensors of a file to Params in the layout of the Graph."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from blox.schema.resolve.trees import Tree
from blox.weights import Headers, load_arrays
from blox.weights.faults import require_memory
from blox.weights.loading import aligned_bytes
from blox.weights.progress import track

from .stacking import Index, Piece

if TYPE_CHECKING:
    import jax
    import numpy as np

    Array = np.ndarray[Any, Any]

_CHUNK = 1 << 24


def assemble(
    headers: Headers,
    pieces: Mapping[str, list[Piece]],
    shapes: Mapping[str, tuple[int, ...]],
    *,
    dtypes: Mapping[str, Any],
    mmap: bool,
    progress: bool | None,
) -> dict[str, jax.Array]:
    """The array of every graph path, without a copy where its tensor is that array.

    Args:
        headers: of the weights; they fit.
        pieces: of `fit`, by graph path.
        shapes: of the arrays, by graph path.
        dtypes: that arrays are cast to, by graph path; others keep theirs.
        mmap: see `load_flat`; what is put together or cast is copied in any case.
        progress: see `track`.
    """
    import jax

    names = dict.fromkeys(part.name for parts in pieces.values() for part in parts)
    # On the host: a device may have no room for the copies, and JAX no 64 bits.
    tensors = load_arrays(headers, names, mmap=mmap, progress=progress)
    made: dict[str, Array] = {}
    copied = {
        path: dtypes.get(path, tensors[parts[0].name].dtype)
        for path, parts in pieces.items()
        if path in dtypes or not _is_view(parts)
    }
    require_memory(sum(_nbytes(shapes[p], dtype) for p, dtype in copied.items()))
    total = sum(tensors[p.name].nbytes for path in copied for p in pieces[path])
    with track("converting", total, progress if total else False) as done:
        for path, parts in pieces.items():
            if path not in copied:
                made[path] = tensors[parts[0].name][(*_index(parts[0].of), ...)]
                continue
            made[path] = array = _aligned(shapes[path], copied[path])
            for part in parts:
                source = tensors[part.name][(*_index(part.of), ...)]
                _copy(array[(*_index(part.into), ...)], source, done)
    del tensors
    return dict(zip(made, jax.device_put(list(made.values())), strict=True))


def _is_view(parts: list[Piece]) -> bool:
    return len(parts) == 1 and all(i is None for i in parts[0].into)


def _index(index: Index) -> tuple[Any, ...]:
    return tuple(slice(None) if i is None else i for i in index)


def _nbytes(shape: tuple[int, ...], dtype: Any) -> int:
    import numpy as np

    return math.prod(shape) * int(np.dtype(dtype).itemsize)


def _aligned(shape: tuple[int, ...], dtype: Any) -> Array:
    array: Array = aligned_bytes(_nbytes(shape, dtype)).view(dtype).reshape(shape)
    return array


def _copy(target: Array, source: Array, done: Callable[[int], None]) -> None:
    """`target[...] = source`, cast where dtypes differ, too large values to infinity."""
    import numpy as np

    if source.ndim and source.nbytes > _CHUNK and len(source) > 1:
        rows = max(1, len(source) * _CHUNK // source.nbytes)
        for start in range(0, len(source), rows):
            _copy(target[start : start + rows], source[start : start + rows], done)
        return
    with np.errstate(over="ignore", invalid="ignore"):
        np.copyto(target, source, casting="unsafe")
    done(source.nbytes)


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
