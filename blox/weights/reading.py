"""The headers of a model's weights: one file, or shards that an index lists."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blox.schema.diagnostics import Diagnostic, WeightsError, quote

from .files import Identity, plain_name, read_small, refuse, shown
from .header import FileHeader, TensorInfo, read_header, strict_json, valid_name
from .layout import DATA_SHA256
from .log import LOG, Log, read_log, resolve

_SUFFIX = ".safetensors"
_INDEX = ".safetensors.index.json"
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Checksum:
    """The sha256, in hex, of a file's bytes from `start` on."""

    start: int
    sha256: str


@dataclass(frozen=True)
class Headers:
    """What the weight files of a model say about themselves.

    Attributes:
        tensors: by name; sharded or not makes no difference.
        metadata: text of the writer, without blox's own checksum.
        files: the weight files.
        checksums: by file, where known (see `verify`).
        identities: the state of each file when it was read.
    """

    tensors: dict[str, TensorInfo]
    metadata: dict[str, str]
    files: tuple[Path, ...]
    checksums: Mapping[Path, Checksum] = field(default_factory=dict)
    identities: Mapping[Path, Identity] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        """Bytes of all tensors."""
        return sum(info.nbytes for info in self.tensors.values())


def read_headers(path: Path, *, stem: str = "params") -> Headers:
    """The headers of the weights at `path`; no tensor is read, nothing is imported.

    Args:
        path: a model folder; a `.safetensors` file; a `.safetensors.index.json` file.
        stem: of the names in a folder: `"params"` for blox's own, `"model"` for
            transformers' (`model.safetensors`, `model.safetensors.index.json`).

    Raises:
        WeightsError: no weights, or unsound ones. Where index and shards disagree, all
            differences are in it.
    """
    if path.is_dir():
        return _settled(path, lambda: _read_folder(path, stem))
    if path.name.endswith(_INDEX):
        stem = path.name.removesuffix(_INDEX)
        folder = path.parent
        return _settled(
            folder, lambda: _read_shards(folder, path, stem, read_log(folder))
        )
    if not path.name.endswith(_SUFFIX):
        wanted = f"a folder, a *{_SUFFIX} or a *{_INDEX} file"
        refuse("weights-file", shown(path), f"expected {wanted}, found another name")
    return _of_files([read_header(path)])


def _settled(folder: Path, read: Callable[[], Headers]) -> Headers:
    """`read()`, repeated if a save changed the folder meanwhile."""
    for left in reversed(range(_ATTEMPTS)):
        before = _state(folder)
        try:
            headers = read()
        except WeightsError:
            if not left or _state(folder) == before:
                raise
            continue
        if not left or _state(folder) == before:
            return headers
    raise AssertionError("unreachable")


def _state(folder: Path) -> tuple[int, bool]:
    with contextlib.suppress(OSError):
        return folder.stat().st_mtime_ns, (folder / LOG).exists()
    return 0, False


def _read_folder(folder: Path, stem: str) -> Headers:
    log = read_log(folder)
    index = resolve(folder, f"{stem}{_INDEX}", log)
    single = resolve(folder, f"{stem}{_SUFFIX}", log)
    if index is not None and single is not None:
        found = f"found {stem}{_SUFFIX} and {stem}{_INDEX}"
        hint = "name the one that you mean"
        refuse(
            "weights-file", shown(folder), f"expected one set of weights, {found}", hint
        )
    if index is not None:
        return _read_shards(folder, index, stem, log)
    if single is not None:
        return _of_files([read_header(single)])
    found = "found neither"
    wanted = f"{stem}{_SUFFIX} or {stem}{_INDEX}"
    refuse("weights-file", shown(folder), f"expected {wanted}, {found}")


def _read_shards(folder: Path, index: Path, stem: str, log: Log | None) -> Headers:
    raw = strict_json(read_small(index), index, floats=True)
    weight_map, metadata = raw.get("weight_map"), raw.get("metadata", {})
    if not isinstance(weight_map, dict) or not isinstance(metadata, dict):
        wanted = "an index with weight_map and metadata objects"
        refuse("weights-index", shown(index), f"expected {wanted}, found another")
    for name, shard in weight_map.items():
        if not valid_name(name):
            found = f"found {quote(name)}"
            refuse("weights-index", shown(index), f"expected printable names, {found}")
        if not isinstance(shard, str) or not _shard_name(shard):
            wanted = f"the plain name of a *{_SUFFIX} file"
            found = f"found {quote(shard)} at {quote(name)}"
            refuse("weights-index", shown(index), f"expected {wanted}, {found}")
    files: list[tuple[str, FileHeader]] = []
    findings: list[Diagnostic] = []
    for shard in dict.fromkeys(weight_map.values()):
        try:
            path = resolve(folder, shard, log)
            if path is None:
                found = "expected a shard that the index names, found no such file"
                refuse("weights-index", shown(shard), found, "fetch it again")
            files.append((shard, read_header(path)))
        except WeightsError as error:
            findings.extend(error.diagnostics)
    findings += _disagreements(index, weight_map, files)
    complete = len(files) == len(set(weight_map.values()))
    if complete and stem == "params":
        findings += _own_findings(index, metadata, files)
    if findings:
        raise WeightsError(findings)
    sums = metadata.get("sha256")
    sums = sums if isinstance(sums, dict) else {}
    known = {
        header.path: Checksum(0, sums[shard])
        for shard, header in files
        if isinstance(sums.get(shard), str)
    }
    return _of_files([header for _, header in files], known)


def _shard_name(name: str) -> bool:
    return plain_name(name) and name.endswith(_SUFFIX)


def _disagreements(
    index: Path, weight_map: Mapping[str, str], files: Iterable[tuple[str, FileHeader]]
) -> Iterable[Diagnostic]:
    headers = dict(files)
    for name, shard in weight_map.items():
        if shard in headers and name not in headers[shard].tensors:
            found = f"expected tensor {quote(name)} in {quote(shard)}, found none there"
            yield Diagnostic("weights-index", shown(index), found)
    for shard, header in headers.items():
        for name in header.tensors:
            if weight_map.get(name) != shard:
                where = quote(weight_map.get(name, "no file"))
                found = f"found {quote(name)} in {quote(shard)}"
                message = (
                    f"expected tensors where the index puts them ({where}), {found}"
                )
                yield Diagnostic("weights-index", shown(index), message)


def _own_findings(
    index: Path, metadata: Mapping[str, Any], files: list[tuple[str, FileHeader]]
) -> Iterable[Diagnostic]:
    """What holds for blox's own indexes; others count total_size in their own ways."""
    total = sum(info.nbytes for _, header in files for info in header.tensors.values())
    found = metadata.get("total_size")
    if type(found) is not int or found != total:
        message = f"expected a total_size of {total}, found {quote(found)}"
        yield Diagnostic("weights-index", shown(index), message)
    for shard, header in files[1:]:
        if header.metadata != files[0][1].metadata:
            message = f"expected the metadata of {quote(files[0][0])}, found another"
            hint = "the shards are of different models"
            yield Diagnostic("weights-index", shown(shard), message, hint)


def _of_files(
    files: list[FileHeader], checksums: Mapping[Path, Checksum] | None = None
) -> Headers:
    tensors: dict[str, TensorInfo] = {}
    metadata: dict[str, str] = {}
    sums = dict(checksums or {})
    for header in files:
        tensors |= header.tensors
        metadata = header.metadata | metadata
    checksum = metadata.pop(DATA_SHA256, "")
    if len(files) == 1 and not sums and re.fullmatch("[0-9a-f]{64}", checksum):
        sums[files[0].path] = Checksum(files[0].data_start, checksum)
    return Headers(
        tensors,
        metadata,
        tuple(header.path for header in files),
        sums,
        {header.path: header.identity for header in files},
    )
