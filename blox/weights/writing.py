"""Writing tensors: aligned, deterministic, and all files at once or none."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from blox.schema.diagnostics import quote

from .commit import FolderCommit, flush
from .dtypes import require_little_endian
from .faults import typed_faults
from .files import local_path, refuse, shown
from .header import DATA_SHA256
from .layout import (
    Planned,
    check_metadata,
    check_size,
    header_bytes,
    in_file_order,
    parse_size,
    plan,
    shards,
)
from .log import sync_folder
from .names import INDEX_SUFFIX, KINDS, MAX_SHARDS, SUFFIX, ModelFiles, single
from .progress import track

if TYPE_CHECKING:
    import numpy as np
    from jax.typing import ArrayLike

_CHUNK = 16 << 20


def save_flat(
    target: Path,
    tensors: Mapping[str, ArrayLike],
    *,
    metadata: Mapping[str, str],
    max_shard_size: int | str | None = None,
    extra_files: Mapping[str, bytes] | None = None,
    remove: Iterable[str] = (),
    stem: str = "params",
    progress: bool | None = None,
) -> None:
    """Write `tensors` to a model folder or to one `.safetensors` file, atomically.

    Whenever this process dies, a reader finds the complete old files or the complete
    new ones (see `commit`). Equal arguments give equal bytes. Other files of the
    folder, and what links in it point to, are not touched; arrays mapped from the old
    file stay valid. JAX is not needed, and one tensor is fetched at a time.

    Args:
        target: a file if its name ends in `.safetensors`, else a folder, made if
            absent.
        tensors: arrays (NumPy or JAX) by graph path.
        metadata: text for the header of each file.
        max_shard_size: bytes of data per file, or text such as `"5GB"`; folders only.
        extra_files: other files of the model by name (`graph.json`), part of the same
            commit; folders only, and names of the closed set (`names`) only.
        remove: names that belonged to an older model and are not in this one.
        stem: of the names of the weight files; `"model"` for transformers.
        progress: see `track`.

    Raises:
        WeightsError: what can't be stored; a target that is neither folder nor regular
            file; a disk that is full. Old or new files then stand, complete.
    """
    local_path(target)
    require_little_endian()
    check_metadata(metadata)
    planned = plan(tensors)
    limit = parse_size(max_shard_size)
    extras = dict(extra_files or {})
    with typed_faults(target, "weights-write", "written"):
        if target.name.endswith(SUFFIX):
            if limit is not None or extras or remove:
                wanted = "no max_shard_size, extra_files or remove for a single file"
                refuse("weights-target", shown(target), f"expected {wanted}")
            folder, names = target.parent, single(target.name)
            files = {target.name: planned}
        else:
            folder, names = target, _kind(stem)
            files = _weight_files(planned, limit, names)
        twice = set(files) & set(extras)
        if twice:
            found = quote(min(twice))
            refuse("weights-name", "", f"expected other extra files, found {found}")
        _prepare(folder)
        total = sum(tensor.nbytes for tensor in planned)
        with (
            FolderCommit(folder, names) as commit,
            track("saving", total, progress) as done,
        ):
            for name in (*files, *extras):
                commit.check(name)
            sums: dict[str, str] = {}
            one, nbytes = len(files) == 1, 0
            for name, content in files.items():
                ordered = in_file_order(content)
                header = header_bytes(ordered, _with_sum(metadata, one), nbytes)
                nbytes += len(header) - 8
                with commit.create(name) as file:
                    sums[name] = _write(file, header, ordered, tensors, one, done)
                    if one:
                        file.seek(0)
                        known = _with_sum(metadata, one, sums[name])
                        file.write(header_bytes(ordered, known))
                    flush(file)
            if not one:
                commit.add(f"{stem}{INDEX_SUFFIX}", _index(files, sums))
            for name, data in extras.items():
                commit.add(name, data)
            if folder is target:
                older = filter(names.weights, sorted(os.listdir(folder)))
                for name in (*older, *remove):
                    commit.remove(name)
            commit.commit()


def dump_flat(
    tensors: Mapping[str, ArrayLike], *, metadata: Mapping[str, str]
) -> bytes:
    """The bytes of the file that `save_flat` would write, for small extra files."""
    require_little_endian()
    check_metadata(metadata)
    file = io.BytesIO()
    ordered = in_file_order(plan(tensors))
    header = header_bytes(ordered, _with_sum(metadata, True))
    checksum = _write(file, header, ordered, tensors, True, lambda done: None)
    file.seek(0)
    file.write(header_bytes(ordered, _with_sum(metadata, True, checksum)))
    return file.getvalue()


def _with_sum(
    metadata: Mapping[str, str], single: bool, checksum: str = "0" * 64
) -> Mapping[str, str]:
    """A single file's metadata hold the sha256 of its data, zeros until it is known."""
    return {**metadata, DATA_SHA256: checksum} if single else metadata


def _kind(stem: str) -> ModelFiles:
    if stem not in KINDS:
        wanted = f"expected a stem of {', '.join(KINDS)}"
        refuse("weights-name", "", f"{wanted}, found {quote(stem)}")
    return KINDS[stem]


def _weight_files(
    planned: list[Planned], limit: int | None, names: ModelFiles
) -> dict[str, list[Planned]]:
    parts = shards(planned, limit)
    count = len(parts)
    if count == 1:
        return {f"{names.stem}{SUFFIX}": parts[0]}
    if count > MAX_SHARDS:
        wanted = f"expected at most {MAX_SHARDS} shards, found {count}"
        refuse("weights-size", "max_shard_size", wanted, "allow larger ones")
    return {
        f"{names.stem}-{number:05d}-of-{count:05d}{SUFFIX}": part
        for number, part in enumerate(parts, 1)
    }


def _prepare(folder: Path) -> None:
    if not folder.exists():
        folder.mkdir(parents=True, exist_ok=True)
        sync_folder(folder.parent)
    if not folder.is_dir():
        refuse("weights-target", shown(folder), "expected a folder, found a file")


def _write(
    file: BinaryIO,
    header: bytes,
    ordered: list[Planned],
    tensors: Mapping[str, Any],
    single: bool,
    done: Callable[[int], None],
) -> str:
    """Write one file; returns its sha256, in hex: of a single file's data, of all of a
    shard, which goes into the index."""
    file.write(header)
    digest = hashlib.sha256(b"" if single else header)
    for tensor in ordered:
        data = _bytes_of(tensor, tensors[tensor.name])
        for start in range(0, len(data), _CHUNK):
            chunk = data[start : start + _CHUNK]
            file.write(chunk)
            digest.update(chunk)
            done(len(chunk))
    return digest.hexdigest()


def _bytes_of(tensor: Planned, value: Any) -> memoryview:
    import numpy as np

    array: np.ndarray[Any, Any] = np.asarray(value)
    if array.dtype.byteorder == ">":
        array = array.astype(array.dtype.newbyteorder("<"))
    flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    if flat.nbytes != tensor.nbytes:
        found = f"expected {tensor.nbytes} bytes, found {flat.nbytes}"
        refuse("weights-shape", tensor.name, found)
    return flat.data


def _index(files: Mapping[str, list[Planned]], sums: Mapping[str, str]) -> bytes:
    total = sum(tensor.nbytes for part in files.values() for tensor in part)
    index = {
        "metadata": {"sha256": dict(sums), "total_size": total},
        "weight_map": {
            tensor.name: name for name, part in files.items() for tensor in part
        },
    }
    text = json.dumps(index, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    data = text.encode()
    check_size("an index", data)
    return data
