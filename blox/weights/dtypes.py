"""The element types of a weight file: their names here, in safetensors, their sizes."""

from __future__ import annotations

import sys

from blox.schema.diagnostics import Diagnostic, WeightsError

# safetensors name -> (JAX name, bytes). Sub-byte types are absent: XLA stores them
# differently, so they could not be mapped.
SAFETENSORS: dict[str, tuple[str, int]] = {
    "BOOL": ("bool", 1),
    "I8": ("int8", 1),
    "I16": ("int16", 2),
    "I32": ("int32", 4),
    "I64": ("int64", 8),
    "U8": ("uint8", 1),
    "U16": ("uint16", 2),
    "U32": ("uint32", 4),
    "U64": ("uint64", 8),
    "F8_E4M3": ("float8_e4m3fn", 1),
    "F8_E4M3FNUZ": ("float8_e4m3fnuz", 1),
    "F8_E5M2": ("float8_e5m2", 1),
    "F8_E5M2FNUZ": ("float8_e5m2fnuz", 1),
    "F16": ("float16", 2),
    "BF16": ("bfloat16", 2),
    "F32": ("float32", 4),
    "F64": ("float64", 8),
    "C64": ("complex64", 8),
}
# Those that arrays may have and no file: bits. JAX keeps less than a byte in whole ones
# as well, on most devices, but that is not theirs.
_UNSTORED = {
    "int2": 2, "int4": 4, "uint2": 2, "uint4": 4, "float4_e2m1fn": 4, "complex128": 128
}  # fmt: skip
FROM_JAX = {name: stored for stored, (name, _) in SAFETENSORS.items()}
ITEMSIZE = dict(SAFETENSORS.values())
FLOATING = frozenset(name for name in ITEMSIZE if "float" in name)


def nbytes_of(dtype: str, count: int) -> int:
    """Bytes of `count` values; of the model's `float` and of unknown types, 4 each."""
    bits = _UNSTORED.get(dtype) or 8 * ITEMSIZE.get(dtype, 4)
    return (bits * count + 7) // 8


def require_little_endian() -> None:
    """Refuse hosts whose memory order is not the file's.

    Raises:
        WeightsError: on a big-endian host; mapping a file there gives wrong numbers.
    """
    if sys.byteorder != "little":
        raise WeightsError(
            Diagnostic(
                "weights-host",
                "",
                "expected a little-endian host, found a big-endian one",
                "safetensors files are little-endian; use another machine",
            )
        )
