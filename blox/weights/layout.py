"""Where each tensor stands in the files to be written: order, headers, shards."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from blox.schema.diagnostics import Diagnostic, WeightsError, bounded, quote

from .dtypes import FROM_JAX, ITEMSIZE
from .files import MAX_JSON_BYTES, refuse
from .header import (
    ALIGNMENT,
    DATA_SHA256,
    MAX_RANK,
    MAX_TENSORS,
    METADATA,
    encodable,
    valid_name,
)
from .json_text import MAX_ITEMS, count_items

_UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}


@dataclass(frozen=True, slots=True)
class Planned:
    """A tensor to be written."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        return ITEMSIZE[self.dtype] * math.prod(self.shape)


def plan(tensors: Mapping[str, Any]) -> list[Planned]:
    """What will be written, sorted by name; only `.dtype` and `.shape` are looked at.

    Raises:
        WeightsError: names or types that a file cannot hold, all of them.
    """
    planned: list[Planned] = []
    findings: list[Diagnostic] = []
    for name, value in tensors.items():
        if not valid_name(name):
            found = f"expected a printable name, found {quote(name)}"
            findings.append(Diagnostic("weights-name", "", found))
            continue
        dtype = str(
            getattr(getattr(value, "dtype", None), "name", type(value).__name__)
        )
        shape = getattr(value, "shape", None)
        if (
            dtype not in ITEMSIZE
            or not isinstance(shape, tuple)
            or len(shape) > MAX_RANK
        ):
            found = f"expected an array of a storable dtype, found {quote(dtype)}"
            hint = "one of " + ", ".join(ITEMSIZE)
            if dtype.startswith("key<"):
                hint = "store jax.random.key_data(key)"
            findings.append(Diagnostic("weights-dtype", name, found, hint))
            continue
        planned.append(Planned(name, dtype, tuple(int(size) for size in shape)))
    if findings:
        raise WeightsError(bounded(findings))
    if len(planned) > MAX_TENSORS:
        found = f"expected at most {MAX_TENSORS} tensors, found {len(planned)}"
        refuse("weights-size", "", found)
    return sorted(planned, key=lambda tensor: tensor.name)


def in_file_order(tensors: Iterable[Planned]) -> list[Planned]:
    """The order that aligns tensors without holes between them.

    Multiples of 64 bytes come first, so each of them stays on a 64-byte boundary; the
    others by falling item size, so each stands at a multiple of its own.
    """
    return sorted(
        tensors,
        key=lambda tensor: (
            tensor.nbytes % ALIGNMENT != 0,
            -ITEMSIZE[tensor.dtype] if tensor.nbytes % ALIGNMENT else 0,
            tensor.name,
        ),
    )


def header_bytes(
    tensors: Iterable[Planned], metadata: Mapping[str, str], before: int = 0
) -> bytes:
    """The length and header of a file, padded so that its data begins aligned.

    Args:
        tensors: of the file, in its order.
        metadata: of the file.
        before: bytes of the headers of the model's other files.

    Raises:
        WeightsError: more than a reader takes.
    """
    header: dict[str, Any] = {}
    if metadata:
        header[METADATA] = dict(sorted(metadata.items()))
    position = 0
    for tensor in tensors:
        end = position + tensor.nbytes
        header[tensor.name] = {
            "dtype": FROM_JAX[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [position, end],
        }
        position = end
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % ALIGNMENT)
    check_size("headers", text, before)
    return len(text).to_bytes(8, "little") + text


def check_size(what: str, text: bytes, before: int = 0) -> None:
    """Refuse to write JSON text that a reader would refuse.

    Args:
        what: the text.
        text: its bytes.
        before: bytes of others that count together with it.
    """
    hint = "store a large spec as graph.json, or fewer arrays, stacked"
    if before + len(text) > MAX_JSON_BYTES:
        found = f"found {before + len(text)}"
        message = f"expected {what} of at most {MAX_JSON_BYTES} bytes, {found}"
        refuse("weights-size", "", message, hint)
    if count_items(text) > MAX_ITEMS:
        message = f"expected {what} of at most {MAX_ITEMS} items, found more"
        refuse("weights-size", "", message, hint)


def check_metadata(metadata: Mapping[str, str]) -> None:
    """Refuse metadata that `read_header` would refuse, or that holds our own key."""
    for key, value in metadata.items():
        if not valid_name(key) or not isinstance(value, str) or not encodable(value):
            found = f"found {quote(key)}: {quote(value)}"
            refuse("weights-metadata", "", f"expected metadata of strings, {found}")
        if key == DATA_SHA256:
            found = f"expected no key {DATA_SHA256!r} in the metadata"
            refuse("weights-metadata", "", found, "blox writes it")


def shards(tensors: Iterable[Planned], limit: int | None) -> list[list[Planned]]:
    """The tensors of each file: filled in order, up to `limit` bytes of data each.

    A tensor larger than `limit` gets a file of its own, as in the Hub's convention.
    """
    files: list[list[Planned]] = [[]]
    filled = 0
    for tensor in tensors:
        if limit is not None and files[-1] and filled + tensor.nbytes > limit:
            files.append([])
            filled = 0
        files[-1].append(tensor)
        filled += tensor.nbytes
    return files


def parse_size(size: int | str | None) -> int | None:
    """Bytes of `5_000_000_000`, `"5GB"` (10**9) or `"5GiB"` (2**30).

    Raises:
        WeightsError: not a positive size.
    """
    if size is None:
        return None
    if isinstance(size, str):
        match = re.fullmatch(r"([0-9]{1,12})\s*([KMGT]I?B)?", size.strip().upper())
        size = int(match[1]) * _UNITS[match[2] or ""] if match else 0
    if type(size) is not int or size <= 0:
        refuse(
            "weights-size",
            "max_shard_size",
            "expected a positive number of bytes",
            'give an integer, or text such as "5GB"',
        )
    return size
