"""The headers of a model's weights: one file, or shards that an index lists."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from blox.schema.diagnostics import (
    MAX_DIAGNOSTICS,
    Diagnostic,
    WeightsError,
    bounded,
    quote,
)

from .faults import typed_faults
from .files import MAX_JSON_BYTES, Source, refuse, shown
from .folder import Folder, read_folder
from .header import (
    DATA_SHA256,
    MAX_TENSORS,
    FileHeader,
    TensorInfo,
    read_header,
    valid_name,
)
from .json_text import bad_file, strict_json
from .names import INDEX_SUFFIX, MAX_SHARDS, SUFFIX, plain_name


class Checksum(NamedTuple):
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
        sources: the files as they were when their headers were read.
    """

    tensors: dict[str, TensorInfo]
    metadata: dict[str, str]
    files: tuple[Path, ...]
    checksums: Mapping[Path, Checksum] = field(default_factory=dict)
    sources: Mapping[Path, Source] = field(default_factory=dict)

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
        WeightsError: no weights, or unsound ones. Where index and shards disagree, the
            differences are in it.
    """
    with typed_faults(path):
        if path.is_dir():
            return read_folder(path, lambda folder: headers_of(folder, stem))
        if path.name.endswith(INDEX_SUFFIX):
            return read_folder(path.parent, lambda folder: _of_index(folder, path.name))
    if not path.name.endswith(SUFFIX):
        wanted = f"a folder, a *{SUFFIX} or a *{INDEX_SUFFIX} file"
        refuse("weights-file", shown(path), f"expected {wanted}, found another name")
    return headers_of_file(Source(path))


def headers_of_file(source: Source) -> Headers:
    """The headers of a single file."""
    return _of_files([read_header(source)])


def headers_of(folder: Folder, stem: str = "params") -> Headers:
    """The headers of the weights in a folder (see `read_headers`)."""
    index = folder.open(f"{stem}{INDEX_SUFFIX}")
    single = folder.open(f"{stem}{SUFFIX}")
    here = shown(folder.path)
    if index is not None and single is not None:
        found = f"found {stem}{SUFFIX} and {stem}{INDEX_SUFFIX}"
        hint = "name the one that you mean"
        refuse("weights-file", here, f"expected one set of weights, {found}", hint)
    if index is not None:
        return _read_shards(folder, index, stem)
    if single is not None:
        return headers_of_file(single)
    found = "found neither"
    wanted = f"{stem}{SUFFIX} or {stem}{INDEX_SUFFIX}"
    refuse("weights-file", here, f"expected {wanted}, {found}")


def _of_index(folder: Folder, name: str) -> Headers:
    index = folder.open(name)
    if index is None:
        refuse("weights-file", shown(name), "expected an index, found nothing there")
    return _read_shards(folder, index, name.removesuffix(INDEX_SUFFIX))


def _read_shards(folder: Folder, index: Source, stem: str) -> Headers:
    raw = strict_json(index.read(), index.path, floats=True)
    weight_map, metadata = raw.get("weight_map"), raw.get("metadata", {})
    if not isinstance(weight_map, dict) or not isinstance(metadata, dict):
        wanted = "an index with weight_map and metadata objects"
        refuse("weights-index", shown(index.path), f"expected {wanted}, found another")
    _check_names(index.path, weight_map)
    files: dict[str, FileHeader] = {}
    faults: list[Diagnostic] = []
    left = _Left(MAX_JSON_BYTES, MAX_TENSORS)
    for shard in dict.fromkeys(weight_map.values()):
        try:
            source = folder.open(shard)
            if source is None:
                found = "expected a shard that the index names, found no such file"
                refuse("weights-index", shown(shard), found, "fetch it again")
            files[shard] = left.take(read_header(source, left.nbytes))
        except WeightsError as error:
            faults.extend(error.diagnostics)
            if len(faults) > MAX_DIAGNOSTICS:
                break  # a folder with an index alone
    complete = not faults and stem == "params"
    own = _own_findings(index.path, metadata, files) if complete else ()
    disagreements = _disagreements(index.path, weight_map, files)
    if findings := bounded(chain(faults, disagreements, own)):
        raise WeightsError(findings)
    sums = metadata.get("sha256")
    sums = sums if isinstance(sums, dict) else {}
    known = {
        header.path: Checksum(0, sums[shard])
        for shard, header in files.items()
        if isinstance(sums.get(shard), str)
    }
    return _of_files(list(files.values()), known)


@dataclass(slots=True)
class _Left:
    """What the headers of further shards may hold."""

    nbytes: int
    tensors: int
    metadata: dict[str, str] | None = None

    def take(self, header: FileHeader) -> FileHeader:
        """`header`, counted; equal metadata is kept once."""
        self.nbytes -= header.data_start - 8
        self.tensors -= len(header.tensors)
        if self.tensors < 0:
            wanted = f"expected at most {MAX_TENSORS} tensors in all, found more"
            bad_file(header.path, wanted)
        if self.metadata == header.metadata:
            header = header._replace(metadata=self.metadata)
        self.metadata = header.metadata
        return header


def _check_names(index: Path, weight_map: Mapping[str, object]) -> None:
    shards = set()
    for name, shard in weight_map.items():
        if not valid_name(name):
            found = f"found {quote(name)}"
            refuse("weights-index", shown(index), f"expected printable names, {found}")
        if isinstance(shard, str) and shard in shards:
            continue
        if not (
            isinstance(shard, str) and plain_name(shard) and shard.endswith(SUFFIX)
        ):
            wanted = f"the plain name of a *{SUFFIX} file"
            found = f"found {quote(shard)} at {quote(name)}"
            refuse("weights-index", shown(index), f"expected {wanted}, {found}")
        shards.add(shard)
    if len(shards) > MAX_SHARDS:
        found = f"expected at most {MAX_SHARDS} shards, found {len(shards)}"
        refuse("weights-index", shown(index), found)


def _disagreements(
    index: Path, weight_map: Mapping[str, str], headers: Mapping[str, FileHeader]
) -> Iterator[Diagnostic]:
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
    index: Path, metadata: Mapping[str, Any], files: Mapping[str, FileHeader]
) -> Iterator[Diagnostic]:
    """What holds for blox's own indexes; others count total_size in their own ways."""
    total = sum(header.nbytes for header in files.values())
    found = metadata.get("total_size")
    if type(found) is not int or found != total:
        message = f"expected a total_size of {total}, found {quote(found)}"
        yield Diagnostic("weights-index", shown(index), message)
    first = next(iter(files), "")
    for shard, header in files.items():
        if header.metadata != files[first].metadata:
            message = f"expected the metadata of {quote(first)}, found another"
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
        if header.metadata != metadata:
            metadata = header.metadata | metadata
    checksum = metadata.pop(DATA_SHA256, "")
    if len(files) == 1 and not sums and re.fullmatch("[0-9a-f]{64}", checksum):
        sums[files[0].path] = Checksum(files[0].data_start, checksum)
    return Headers(
        tensors,
        metadata,
        tuple(header.path for header in files),
        sums,
        {header.path: header.source for header in files},
    )
