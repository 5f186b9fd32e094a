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

import errno
import mmap as mapping
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blox.schema.diagnostics import Diagnostic, WeightsError, quote

from .comparing import near_misses
from .dtypes import NEEDS_X64, require_little_endian
from .files import refuse, shown
from .header import TensorInfo
from .integrity import open_unchanged
from .layout import ALIGNMENT
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
    progress: bool = False,
) -> dict[str, jax.Array]:
    """The tensors of `headers` on JAX's default device, in the order of `names`.

    Args:
        headers: of `read_headers`.
        names: which tensors, by default all.
        mmap: use the files' own pages where JAX can (on CPU, tensors on 64-byte
            boundaries); a page is read when it is first needed. False reads a copy.
        progress: show a bar if the work is long and standard error is a terminal.

    Raises:
        WeightsError: names that aren't there; 64-bit tensors while JAX's x64 is off; a
            file changed since its header was read; bytes of a bool other than 0 and 1.
    """
    import jax

    require_little_endian()
    wanted = _select(headers, names)
    _check_widths(wanted)
    by_file: dict[Path, list[TensorInfo]] = {}
    for info in wanted:
        by_file.setdefault(info.file, []).append(info)
    arrays: dict[str, Array] = {}
    total = sum(info.nbytes for info in wanted)
    with track("loading", total, progress and not mmap) as done:
        for path, infos in by_file.items():
            fetch = _map if mmap else _read
            found = fetch(headers, path, infos, done)
            arrays |= zip((info.name for info in infos), found, strict=True)
    # One call for all: 30 us a leaf against 50.
    placed = jax.device_put([arrays[info.name] for info in wanted])
    return {info.name: array for info, array in zip(wanted, placed, strict=True)}


def _select(headers: Headers, names: Iterable[str] | None) -> list[TensorInfo]:
    if names is None:
        return list(headers.tensors.values())
    chosen = list(dict.fromkeys(names))
    absent = [name for name in chosen if name not in headers.tensors]
    if absent:
        hints = near_misses(absent, headers.tensors)
        raise WeightsError(
            Diagnostic(
                "weights-missing",
                name if name.isprintable() else quote(name),
                "expected a tensor, found none in the weight files",
                hints.get(name, ""),
            )
            for name in absent
        )
    return [headers.tensors[name] for name in chosen]


def _check_widths(wanted: Iterable[TensorInfo]) -> None:
    import jax
    import numpy as np

    if jax.dtypes.canonicalize_dtype(np.int64) == np.int64:
        return
    findings = [
        Diagnostic(
            "weights-x64",
            info.name,
            f"expected at most 32 bits per value, found {info.dtype}",
            'JAX would cut it: jax.config.update("jax_enable_x64", True), or store'
            " a narrower dtype",
        )
        for info in wanted
        if info.dtype in NEEDS_X64
    ]
    if findings:
        raise WeightsError(findings)


def _map(
    headers: Headers, path: Path, infos: list[TensorInfo], done: Callable[[int], None]
) -> list[Array]:
    import numpy as np

    with open_unchanged(headers, path) as file:
        try:
            pages = mapping.mmap(file.fileno(), 0, access=mapping.ACCESS_COPY)
        except OSError as error:
            if error.errno != errno.ENOMEM:
                reason = error.strerror or "unknown error"
                refuse("weights-file", shown(path), f"can't be mapped: {reason}")
            # Strict accounting counts copy-on-write pages of a large file as memory.
            pages = mapping.mmap(file.fileno(), 0, access=mapping.ACCESS_READ)
    if len(pages) != headers.identities[path].size:
        refuse("weights-changed", shown(path), "expected a stable size", "load again")
    memory = np.frombuffer(pages, np.uint8)
    return [_view(info, memory[info.start : info.stop]) for info in infos]


def _read(
    headers: Headers, path: Path, infos: list[TensorInfo], done: Callable[[int], None]
) -> list[Array]:
    import numpy as np

    arrays = []
    with open_unchanged(headers, path) as file:
        for info in sorted(infos, key=lambda info: info.start):
            # On a boundary that lets JAX take the memory over: one copy, not two.
            buffer = np.empty(info.nbytes + ALIGNMENT, np.uint8)
            offset = -buffer.ctypes.data % ALIGNMENT
            data = buffer[offset : offset + info.nbytes]
            file.seek(info.start)
            filled = 0
            while filled < info.nbytes:
                count = file.readinto(data[filled : filled + _CHUNK].data)
                if not count:
                    found = "found its end"
                    hint = "load again"
                    refuse(
                        "weights-changed", shown(path), f"expected data, {found}", hint
                    )
                filled += count
                done(count)
            arrays.append((info, _view(info, data)))
    order = {info.name: array for info, array in arrays}
    return [order[info.name] for info in infos]


def _view(info: TensorInfo, data: Array) -> Array:
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
