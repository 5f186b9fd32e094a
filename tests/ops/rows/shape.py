"""Rows of the ops of `schema/ops/shape.py`."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from ops.row import (
    INTS,
    Row,
    Rows,
    X,
    Z,
    unary,
)

ROWS: Rows = {
    "reshape": [
        unary(lambda x: x.reshape(3, 2, 2), shape=["...", 2, 2]),
        unary(lambda x: x.reshape(3, 2, 2), shape=["...", 2, -1]),
        unary(lambda x: x.reshape(3, 4), shape=["...", -1]),
        Row({"shape": [2, -1]}, (X,), reference=lambda x: x.reshape(2, 6), lead=False),
    ],
    "flatten": [
        unary(lambda x: x.reshape(12), start=-2),
        unary(lambda x: x.reshape(12), start=-2, stop=None),
    ],
    "transpose": Row({"permutation": [1, 0]}, (X,), reference=np.transpose, lead=False),
    "swapaxes": unary(lambda x: x.T, axis1=-1, axis2=-2),
    "expand_dims": unary(lambda x: x[:, None, :, None], axis=[-1, -3]),
    "squeeze": [
        unary(lambda x: x[:, 0], X[:, None], axis=-2),
        unary(lambda x: x.reshape(()), X[:1, :1], axis=[-1, -2]),
    ],
    "broadcast_to": Row(
        {"shape": [2, 3, 4]},
        (X,),
        reference=lambda x: np.broadcast_to(x, (2, 3, 4)),
        lead=False,
    ),
    "flip": [
        unary(lambda x: x[::-1, ::-1], axis=[-1, -2]),
        Row({"axis": None}, (X,), reference=np.flip, lead=False),
    ],
    "roll": unary(lambda x: np.roll(x, (1, 2), (0, 1)), shift=[1, 2], axis=[-2, -1]),
    "tile": unary(lambda x: np.tile(x, (2, 3)), reps=[2, 3]),
    "repeat_elements": unary(lambda x: np.repeat(x, 2, -1), repeats=2, axis=-1),
    "pad": [
        unary(
            lambda x: np.pad(x, ((0, 0), (1, 2)), constant_values=3),
            pad_width=[[1, 2]],
            constant_values=3,
        ),
        unary(
            lambda x: np.pad(x, ((0, 0), (1, 2)), "reflect"),
            pad_width=[[1, 2]],
            mode="reflect",
        ),
    ],
    "astype": [
        unary(lambda x: x.astype(np.float32), INTS, dtype="float"),
        unary(lambda x: x.astype(jnp.bfloat16), dtype="bfloat16"),
        # Differences in 64 bits are none where it cuts to 32.
        Row({"dtype": "complex64"}, (Z,), reference=lambda x: x, grad=False),
        Row(
            {"dtype": "complex64"},
            (X,),
            reference=lambda x: x.astype(complex),
            grad=False,
        ),
    ],
}
