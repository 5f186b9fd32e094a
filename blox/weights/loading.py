"""Tensors of weight files as JAX arrays, without a copy where that is possible.

What makes it possible, found by trying JAX 0.10 on CPU: `jax.device_put` of a NumPy
array uses the array's own memory if that begins on a 64-byte boundary, whether it is
writable or not; 32 bytes are not enough, `jax.numpy.asarray` always copies, DLPack
refuses read-only arrays. The JAX array then holds the NumPy array, and that the map:
the file may be unlinked or replaced meanwhile. XLA never reuses such memory for the
result of a donating call. Pages are mapped copy-on-write, so that even a library that
writes (through DLPack) reaches neither the file nor another process.

Somebody who *rewrites a mapped file in place* changes or tears the values of loaded
arrays, and one who truncates it makes the next access fail with SIGBUS; `save_flat`
never does either. Where that can't be excluded (or on Windows, which keeps a mapped
file from being replaced) load with `mmap=False`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blox.schema.diagnostics import Diagnostic, WeightsError, bounded, quote

from .comparing import near_misses, wide
from .dtypes import require_little_endian
from .faults import require_memory
from .files import CHANGED, refuse, shown
from .header import ALIGNMENT, TensorInfo
from .pages import map_file
from .progress import track
from .reading import Headers

if TYPE_CHECKING:
    import jax
    import numpy as np

    Array = np.ndarray[Any, Any]

_CHUNK = 64 << 20


def load_flat(
    headers: Headers,
    names: Iterable[str] | None = None,
    *,
    mmap: bool = True,
    progress: bool | None = None,
) -> dict[str, jax.Array]:
    """The tensors of `headers` on JAX's default device, in the order of `names`.

    Args:
        headers: of `read_headers`.
        names: which tensors, by default all.
        mmap: use the files' own pages where JAX can (on CPU, tensors on 64-byte
            boundaries); a page is read when it is first needed. False reads a copy.
        progress: see `track`.

    Raises:
        WeightsError: names that aren't there; 64-bit tensors while JAX's x64 is off; a
            file changed since its header was read; bytes of a bool other than 0 and 1.
    """
    import jax

    if not x64_enabled():
        wanted = {info.name: info for info in _select(headers, names)}
        if findings := bounded(wide(wanted, wanted)):
            raise WeightsError(findings)
    arrays = load_arrays(headers, names, mmap=mmap, progress=progress)
    # One call for all: 30 us a leaf against 50.
    return dict(zip(arrays, jax.device_put(list(arrays.values())), strict=True))


def x64_enabled() -> bool:
    """True if JAX takes 64-bit values."""
    import jax
    import numpy as np

    return bool(jax.dtypes.canonicalize_dtype(np.int64) == np.int64)


def load_arrays(
    headers: Headers,
    names: Iterable[str] | None = None,
    *,
    mmap: bool = True,
    progress: bool | None = None,
) -> dict[str, Array]:
    """As `load_flat`, in the host's memory: arrays of NumPy that `jax.device_put` takes
    over; 64-bit values too."""
    require_little_endian()
    wanted = _select(headers, names)
    by_file: dict[Path, list[TensorInfo]] = {}
    for info in wanted:
        by_file.setdefault(info.file, []).append(info)
    arrays: dict[str, Array] = {}
    total = 0 if mmap else sum(info.nbytes for info in wanted)
    require_memory(total)
    with track("loading", total, progress if total else False) as done:
        for path, infos in by_file.items():
            with headers.sources[path].open() as file:
                found = (
                    _map(file, path, infos) if mmap else _read(file, path, infos, done)
                )
            arrays |= zip((info.name for info in infos), found, strict=True)
    return {info.name: arrays[info.name] for info in wanted}


def _select(headers: Headers, names: Iterable[str] | None) -> list[TensorInfo]:
    if names is None:
        return list(headers.tensors.values())
    chosen = list(dict.fromkeys(names))
    absent = [name for name in chosen if name not in headers.tensors]
    if absent:
        hints = near_misses(absent, headers.tensors)
        raise WeightsError(
            bounded(
                Diagnostic(
                    "weights-missing",
                    name if name.isprintable() else quote(name),
                    "expected a tensor, found none in the weight files",
                    hints.get(name, ""),
                )
                for name in absent
            )
        )
    return [headers.tensors[name] for name in chosen]


def _map(file: FileIO, path: Path, infos: list[TensorInfo]) -> list[Array]:
    try:
        memory = map_file(file.fileno(), max(info.stop for info in infos))
    except OSError as error:
        reason = error.strerror or "unknown error"
        refuse("weights-file", shown(path), f"can't be mapped: {reason}")
    return [view_of(info, memory[info.start : info.stop]) for info in infos]


def _read(
    file: FileIO, path: Path, infos: list[TensorInfo], done: Callable[[int], None]
) -> list[Array]:
    arrays = {}
    for info in sorted(infos, key=lambda info: info.start):
        data = aligned_bytes(info.nbytes)
        file.seek(info.start)
        filled = 0
        while filled < info.nbytes:
            count = file.readinto(data[filled : filled + _CHUNK].data)
            if not count:
                found = "expected data, found its end"
                refuse(CHANGED, shown(path), found, "load again")
            filled += count
            done(count)
        arrays[info.name] = view_of(info, data)
    return [arrays[info.name] for info in infos]


def aligned_bytes(size: int) -> Array:
    """Memory on a boundary that lets JAX take it over: one copy, not two."""
    import numpy as np

    buffer = np.empty(size + ALIGNMENT, np.uint8)
    offset = -buffer.ctypes.data % ALIGNMENT
    data: Array = buffer[offset : offset + size]
    return data


def view_of(info: TensorInfo, data: Array) -> Array:
    """The bytes of a tensor as an array of its shape and dtype."""
    import ml_dtypes
    import numpy as np

    if info.dtype == "bool" and data.size and data.max() > 1:
        # XLA and NumPy leave undefined what such a bool does.
        found = f"found {data.max()}"
        refuse("weights-value", info.name, f"expected bools of 0 and 1, {found}")
    dtype: Any = getattr(ml_dtypes, info.dtype, None) or np.dtype(info.dtype)
    if not data.size:
        return np.zeros(info.shape, dtype)
    array: Array = data.view(dtype).reshape(info.shape)
    return array
