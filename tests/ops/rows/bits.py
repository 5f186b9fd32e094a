"""Rows of the ops of `schema/ops/bits.py`."""

from __future__ import annotations

import numpy as np
from ops.row import BOOLS, INTS, Row, Rows, binary, unary

SIGNED = 1000 * (INTS - 2)
WORDS = np.array([0, 1, 255, 2**31, 2**32 - 1], np.uint32)
BYTES = np.array([[1, 2, 3, 4], [0, 0, 128, 63]], np.uint8)

BITS = np.arange(30).reshape(3, 10) % 3 == 0
WIDE = np.array([3, 2**31 - 1, -(2**31), 12345678], np.int32)

ROWS: Rows = {
    "packbits": [
        Row({}, (BITS,), reference=lambda x: np.packbits(BITS, -1)),
        Row(
            {"axis": -2, "bitorder": "little"},
            (BITS,),
            reference=lambda x: np.packbits(BITS, -2, "little"),
        ),
    ],
    "unpackbits": [
        Row({}, (BYTES,), reference=lambda x: np.unpackbits(BYTES, -1)),
        Row(
            {"axis": -2, "bitorder": "little"},
            (BYTES,),
            reference=lambda x: np.unpackbits(BYTES, -2, bitorder="little"),
        ),
    ],
    "mulhi": Row(
        {},
        (WIDE, WIDE[::-1]),
        reference=lambda a, b: (a.astype(object) * b.astype(object)) // 2**32,
    ),
    "bitwise_and": [
        binary(np.bitwise_and, SIGNED, INTS),
        binary(np.bitwise_and, BOOLS, BOOLS[::-1]),
        Row({}, (SIGNED, 3), reference=np.bitwise_and, lead=(0,)),
    ],
    "bitwise_or": binary(np.bitwise_or, SIGNED, INTS),
    "bitwise_xor": binary(np.bitwise_xor, SIGNED, INTS),
    "bitwise_not": [unary(np.bitwise_not, SIGNED), unary(np.bitwise_not, BOOLS)],
    "left_shift": [
        binary(np.left_shift, SIGNED, INTS),
        Row({}, (SIGNED, 2), reference=np.left_shift, lead=(0,)),
    ],
    "right_shift": binary(np.right_shift, SIGNED, INTS),
    "right_shift_logical": [
        binary(
            lambda a, b: (a.view(np.uint32) >> b.view(np.uint32)).view(np.int32),
            SIGNED,
            INTS,
        ),
        Row({}, (BYTES, 2), reference=np.right_shift, lead=(0,)),
    ],
    "population_count": unary(np.bitwise_count, WORDS),
    "clz": unary(lambda x: [32 - int(n).bit_length() for n in x], WORDS),
    "bitcast_convert_type": [
        unary(lambda x: x.view(np.float32), SIGNED, dtype="float32"),
        unary(lambda x: x.view(np.float32)[:, 0], BYTES, dtype="float32"),
        unary(lambda x: x[:, None].view(np.uint8), WORDS, dtype="uint8"),
    ],
}
