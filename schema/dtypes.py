"""Element types: their names, and what they can hold."""

from __future__ import annotations

from typing import Literal

RealDType = Literal[
    "float", "float32", "float16", "bfloat16", "float64", "int8", "int16", "int32",
    "int64", "uint8", "uint16", "uint32", "uint64", "bool",
]  # fmt: skip
"""`"float"` is the model's floating type; every other name is concrete."""

StoredDType = Literal[RealDType, "complex64"]
"""Those that arrays of a model may have: safetensors has no complex numbers of 128 bits."""

DType = Literal[StoredDType, "complex128"]
"""All of them."""

LARGEST = {
    "float": 65504.0,  # as the model may be cast to float16
    "float16": 65504.0,
    "bfloat16": 3.3895313892515355e38,
    "float32": 3.4028234663852886e38,
    "float64": float("inf"),
    "complex64": 3.4028234663852886e38,
    "complex128": float("inf"),
}
"""The largest number of each floating type, and of each part of a complex one."""

COMPLEX = frozenset({"complex64", "complex128"})
INEXACT = frozenset(LARGEST)
"""Those that have gradients."""
FLOATS = INEXACT - COMPLEX
NEEDS_X64 = frozenset({"int64", "uint64", "float64", "complex128"})
"""Types that JAX cuts to 32 bits a number, unless `jax_enable_x64` is on."""
