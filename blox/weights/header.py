"""The strict reader of one safetensors header, used before safetensors sees a file.

A file is 8 bytes (the header's length N, little-endian), N bytes of JSON that map names
to `{"dtype", "shape", "data_offsets"}`, then the data, without holes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from blox.schema.diagnostics import quote

from .dtypes import SAFETENSORS
from .files import MAX_JSON_BYTES, Source, read_exactly
from .json_text import bad_file, strict_json

METADATA = "__metadata__"
DATA_SHA256 = "data_sha256"
"""The metadata key of a single file's checksum, over all bytes after the header."""
ALIGNMENT = 64
"""Bytes. What XLA:CPU asks of memory that it uses without a copy."""
MAX_TENSOR_NAME = 2048
MAX_RANK = 64
"""NumPy's own limit."""
MAX_INT = 2**63 - 1
MAX_TENSORS = 500_000
"""Of a model, in all of its files."""


class TensorInfo(NamedTuple):
    """One tensor of a file: `file[start:stop]`, offsets in bytes from its beginning."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: Path
    start: int
    stop: int

    @property
    def nbytes(self) -> int:
        return self.stop - self.start


class FileHeader(NamedTuple):
    """The header of one file, with the state of the file that it was read from."""

    path: Path
    source: Source
    tensors: dict[str, TensorInfo]
    metadata: dict[str, str]
    data_start: int

    @property
    def nbytes(self) -> int:
        """Bytes of all tensors."""
        return sum(info.nbytes for info in self.tensors.values())


def read_header(source: Source, limit: int = MAX_JSON_BYTES) -> FileHeader:
    """The header of a safetensors file; no tensor is read.

    Args:
        source: the file.
        limit: bytes that the header may have.

    Raises:
        WeightsError: the file breaks a rule of the format, in one line.
    """
    path, size = source.path, source.identity.size
    with source.open() as file:
        prefix = read_exactly(file, 8)
        if len(prefix) < 8:
            bad_file(path, f"expected a file of at least 8 bytes, found {size}")
        length = int.from_bytes(prefix, "little")
        if length > limit:
            found = f"expected headers of at most {MAX_JSON_BYTES} bytes in all"
            bad_file(path, f"{found}, found {length}")
        if 8 + length > size:
            found = f"a header of {length} bytes in a file of {size}"
            bad_file(path, f"expected the header inside the file, found {found}")
        text = read_exactly(file, length)
    if len(text) != length:
        bad_file(path, f"expected a header of {length} bytes, found the file's end")
    if text[:1] != b"{":
        bad_file(path, "expected a header that begins with '{'")
    raw = strict_json(text, path)
    del text
    data_start = 8 + length
    metadata = _metadata(path, raw.pop(METADATA, {}))
    if len(raw) > MAX_TENSORS:
        bad_file(path, f"expected at most {MAX_TENSORS} tensors, found {len(raw)}")
    tensors = {
        name: _tensor(path, name, entry, data_start) for name, entry in raw.items()
    }
    _check_layout(path, tensors, data_start, size)
    return FileHeader(path, source, tensors, metadata, data_start)


def valid_name(name: object) -> bool:
    """True for a tensor name that is safe to show: printable, not empty, not huge."""
    return (
        isinstance(name, str)
        and 0 < len(name) <= MAX_TENSOR_NAME
        and name.isprintable()
        and name != METADATA
    )


def _metadata(path: Path, raw: Any) -> dict[str, str]:
    if not isinstance(raw, dict):
        bad_file(path, f"expected {METADATA} to be an object, found {quote(raw)}")
    for key, value in raw.items():
        if not valid_name(key):
            bad_file(path, f"expected printable keys in {METADATA}, found {quote(key)}")
        if not isinstance(value, str):
            found = f"found {quote(value)} at {quote(key)}"
            bad_file(path, f"expected strings in {METADATA}, {found}")
        if not encodable(value):
            bad_file(path, f"expected Unicode text in {METADATA} at {quote(key)}")
    return raw


def encodable(text: str) -> bool:
    """False for text with lone surrogates, which no UTF-8 file can hold."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _tensor(path: Path, name: str, raw: Any, data_start: int) -> TensorInfo:
    if not valid_name(name):
        bad_file(path, f"expected printable names of tensors, found {quote(name)}")
    where = f"tensor {quote(name)}"
    if not isinstance(raw, dict) or set(raw) != {"dtype", "shape", "data_offsets"}:
        wanted = "exactly dtype, shape and data_offsets"
        bad_file(path, f"expected {wanted}, found {quote(raw)} at {where}")
    dtype, shape, offsets = raw["dtype"], raw["shape"], raw["data_offsets"]
    if not isinstance(dtype, str) or dtype not in SAFETENSORS:
        bad_file(path, f"expected a known dtype, found {quote(dtype)} at {where}")
    if not _sizes(shape) or len(shape) > MAX_RANK:
        bad_file(path, f"expected a shape of sizes, found {quote(shape)} at {where}")
    if not _sizes(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        wanted = "data_offsets [begin, end]"
        bad_file(path, f"expected {wanted}, found {quote(offsets)} at {where}")
    jax_name, nbytes = SAFETENSORS[dtype]
    for size in shape:
        # A size of 0 must not hide an overflow of the others from NumPy or XLA.
        nbytes *= size or 1
        if nbytes > MAX_INT:
            found = f"the shape {quote(shape)} at {where}"
            bad_file(path, f"expected a size below 2**63 bytes, found {found}")
    nbytes = 0 if 0 in shape else nbytes
    begin, end = offsets
    if end - begin != nbytes:
        found = f"{end - begin} at {where}"
        bad_file(
            path, f"expected {nbytes} bytes for {dtype} {quote(shape)}, found {found}"
        )
    return TensorInfo(
        name, jax_name, tuple(shape), path, data_start + begin, data_start + end
    )


def _sizes(raw: Any) -> bool:
    return isinstance(raw, list) and all(
        type(item) is int and item >= 0 for item in raw
    )


def _check_layout(
    path: Path, tensors: dict[str, TensorInfo], data_start: int, size: int
) -> None:
    position = data_start
    for info in sorted(tensors.values(), key=lambda info: (info.start, info.stop)):
        if info.start != position:
            kind = "an overlap" if info.start < position else "a hole"
            where = f"at tensor {quote(info.name)}"
            bad_file(path, f"expected tensors one after another, found {kind} {where}")
        position = info.stop
    if position != size:
        end = f"a file of {size}"
        bad_file(path, f"expected the data to end at byte {position}, found {end}")
