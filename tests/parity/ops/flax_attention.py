"""Writes flax_attention.safetensors: what Flax gives, in float64, for attention.

    python tests/parity/ops/flax_attention.py     (extra `parity`)

Some rows of the table `attention.attention`, with gradients, as torch_reference.py
writes its cases.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

TESTS = Path(__file__).parents[2]
if str(TESTS) not in sys.path:
    sys.path[:0] = [str(TESTS), str(TESTS.parent)]

from parity.ops.tables.attention import attention  # noqa: E402
from parity.ops.tables.row import Row, theirs  # noqa: E402

FILE = TESTS / "ops" / "flax_attention.safetensors"
EVERY, FAST = 5, 20
"""Of the rows those of such numbers stand in the file, and run by default."""


def cases() -> dict[int, Row]:
    return dict(list(enumerate(attention()))[::EVERY])


def made() -> dict[str, np.ndarray]:
    """All arrays of the cases, by their names in the file."""
    arrays: dict[str, Any] = {}
    for number, row in cases().items():
        outputs, slopes = theirs(row)
        named = dict(row.arrays) | {f"out{i}": y for i, y in enumerate(outputs)}
        named |= {f"slope.{name}": slope for name, slope in slopes.items()}
        arrays |= {f"{number}.{name}": in_32_bits(x) for name, x in named.items()}
    return arrays


def in_32_bits(x: np.ndarray) -> np.ndarray:
    x = np.ascontiguousarray(x)
    return x.astype(np.float32) if x.dtype == np.float64 else x


def main() -> None:
    about = {
        str(number): json.dumps(
            {"spec": {"op": row.op, **row.attributes}, "given": list(row.arrays)}
            | ({"slow": True} if number % FAST else {})
        )
        for number, row in cases().items()
    }
    save_file(made(), FILE, about)
    print(f"{len(about)} cases, {FILE.stat().st_size} bytes")


if __name__ == "__main__":
    main()
