"""The strict reader of one safetensors header, used before safetensors sees a file.

A file is 8 bytes (the header's length N, little-endian), N bytes of JSON that map names
to `{"dtype", "shape", "data_offsets"}`, then the data, without holes.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from blox.schema.diagnostics import quote

from .dtypes import SAFETENSORS
from .files import MAX_JSON_BYTES, Identity, open_regular, refuse, shown

METADATA = "__metadata__"
MAX_TENSOR_NAME = 2048
MAX_RANK = 64
"""NumPy's own limit."""
MAX_INT = 2**63 - 1


@dataclass(frozen=True, slots=True)
class TensorInfo:
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


@dataclass(frozen=True, slots=True)
class FileHeader:
    """The header of one file, with the state of the file that it was read from."""

    path: Path
    identity: Identity
    tensors: dict[str, TensorInfo]
    metadata: dict[str, str]
    data_start: int


def read_header(path: Path) -> FileHeader:
    """The header of the safetensors file `path`; no tensor is read.

    Raises:
        WeightsError: the file breaks a rule of the format, in one line.
    """
    with open(open_regular(path), "rb", buffering=0) as file:
        identity = Identity.of(os.fstat(file.fileno()))
        prefix = file.read(8) or b""
        if len(prefix) < 8:
            _bad(path, f"expected a file of at least 8 bytes, found {identity.size}")
        length = int.from_bytes(prefix, "little")
        if length > MAX_JSON_BYTES:
            found = f"expected a header of at most {MAX_JSON_BYTES} bytes"
            _bad(path, f"{found}, found {length}")
        if 8 + length > identity.size:
            found = f"a header of {length} bytes in a file of {identity.size}"
            _bad(path, f"expected the header inside the file, found {found}")
        text = b""
        while len(text) < length and (more := file.read(length - len(text))):
            text += more
    if len(text) != length:
        _bad(path, f"expected a header of {length} bytes, found the file's end")
    if text[:1] != b"{":
        _bad(path, "expected a header that begins with '{'")
    raw = strict_json(text.rstrip(b" "), path)
    data_start = 8 + length
    metadata = _metadata(path, raw.pop(METADATA, {}))
    tensors = {
        name: _tensor(path, name, entry, data_start) for name, entry in raw.items()
    }
    _check_layout(path, tensors, data_start, identity.size)
    return FileHeader(path, identity, tensors, metadata, data_start)


def strict_json(text: bytes, path: Path, *, floats: bool = False) -> dict[str, Any]:
    """`text` as a JSON object, without what JSON parsers disagree on.

    Raises:
        WeightsError: not UTF-8, not an object, duplicate keys, NaN, infinity, an
            integer beyond 64 bits, deep nesting, or a float where `floats` is False.
    """

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(items)
        if len(found) != len(items):
            counts = Counter(key for key, _ in items)
            twice = counts.most_common(1)[0][0]
            _bad(path, f"expected every key once, found {quote(twice)} twice")
        return found

    def integer(digits: str) -> int:
        if len(digits) > 20 or not -MAX_INT <= int(digits) <= MAX_INT:
            _bad(path, f"expected 64-bit integers, found {quote(digits, 30)}")
        return int(digits)

    def number(digits: str) -> float:
        value = float(digits) if len(digits) <= 40 else float("inf")
        if not floats or value in (float("inf"), float("-inf")):
            _bad(path, f"expected an integer, found {quote(digits, 30)}")
        return value

    def constant(name: str) -> NoReturn:
        _bad(path, f"expected a number, found {name}")

    try:
        value = json.loads(
            text.decode("utf-8"),
            object_pairs_hook=pairs,
            parse_int=integer,
            parse_float=number,
            parse_constant=constant,
        )
    except UnicodeDecodeError as error:
        _bad(path, f"expected UTF-8, found another byte at {error.start}")
    except RecursionError:
        _bad(path, "expected a flat JSON object, found deep nesting")
    except json.JSONDecodeError as error:
        _bad(path, f"expected JSON: {error.msg} at {error.pos}")
    if not isinstance(value, dict):
        _bad(path, f"expected a JSON object, found {type(value).__name__}")
    return value


def valid_name(name: object) -> bool:
    """True for a tensor name that is safe to show: printable, not empty, not huge."""
    return (
        isinstance(name, str)
        and 0 < len(name) <= MAX_TENSOR_NAME
        and name.isprintable()
        and name != METADATA
    )


def _bad(path: Path, message: str) -> NoReturn:
    refuse("weights-header", shown(path), message, "the file is damaged or not ours")


def _metadata(path: Path, raw: Any) -> dict[str, str]:
    if not isinstance(raw, dict):
        _bad(path, f"expected {METADATA} to be an object, found {quote(raw)}")
    for key, value in raw.items():
        if not valid_name(key):
            _bad(path, f"expected printable keys in {METADATA}, found {quote(key)}")
        if not isinstance(value, str):
            found = f"found {quote(value)} at {quote(key)}"
            _bad(path, f"expected strings in {METADATA}, {found}")
        if not encodable(value):
            _bad(path, f"expected Unicode text in {METADATA} at {quote(key)}")
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
        _bad(path, f"expected printable names of tensors, found {quote(name)}")
    where = f"tensor {quote(name)}"
    if not isinstance(raw, dict) or set(raw) != {"dtype", "shape", "data_offsets"}:
        wanted = "exactly dtype, shape and data_offsets"
        _bad(path, f"expected {wanted}, found {quote(raw)} at {where}")
    dtype, shape, offsets = raw["dtype"], raw["shape"], raw["data_offsets"]
    if not isinstance(dtype, str) or dtype not in SAFETENSORS:
        _bad(path, f"expected a known dtype, found {quote(dtype)} at {where}")
    if not _sizes(shape) or len(shape) > MAX_RANK:
        _bad(path, f"expected a shape of sizes, found {quote(shape)} at {where}")
    if not _sizes(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        wanted = "data_offsets [begin, end]"
        _bad(path, f"expected {wanted}, found {quote(offsets)} at {where}")
    jax_name, nbytes = SAFETENSORS[dtype]
    for size in shape:
        # A size of 0 must not hide an overflow of the others from NumPy or XLA.
        nbytes *= size or 1
        if nbytes > MAX_INT:
            found = f"the shape {quote(shape)} at {where}"
            _bad(path, f"expected a size below 2**63 bytes, found {found}")
    nbytes = 0 if 0 in shape else nbytes
    begin, end = offsets
    if end - begin != nbytes:
        found = f"{end - begin} at {where}"
        _bad(path, f"expected {nbytes} bytes for {dtype} {quote(shape)}, found {found}")
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
            _bad(path, f"expected tensors one after another, found {kind} {where}")
        position = info.stop
    if position != size:
        end = f"a file of {size}"
        _bad(path, f"expected the data to end at byte {position}, found {end}")
