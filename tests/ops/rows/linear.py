"""Rows of the ops of `schema/ops/linear.py`."""

from __future__ import annotations

import numpy as np
from ops.row import (
    INTS,
    Row,
    Rows,
    X,
    numbers,
)

normal = numbers(8)

ROWS: Rows = {
    "einsum_linear": [
        Row(
            {"equation": "...d,dh->...h", "kernel_shape": [4, 2]},
            (X,),
            {"kernel": normal(4, 2), "bias": normal(2)},
            lambda x, kernel, bias: x @ kernel + bias,
        ),
        Row(
            {"equation": "...d,dhk->...hk", "kernel_shape": [4, 2, 5]},
            (X,),
            reference=lambda x, kernel, bias: (
                (x @ kernel.reshape(4, 10)).reshape(3, 2, 5) + bias
            ),
        ),
        Row(
            {"equation": "...hk,hkd->...d", "kernel_shape": [3, 4, 2]},
            (X,),
            reference=lambda x, kernel, bias: (
                x.reshape(12) @ kernel.reshape(12, 2) + bias
            ),
        ),
        Row(
            {"equation": "...gd,gdf->...gf", "kernel_shape": [3, 4, 2]},
            (X,),
            reference=lambda x, kernel, bias: (
                np.stack([x[g] @ kernel[g] for g in range(3)]) + bias
            ),
        ),
        Row(
            {"equation": "td,dh -> ht", "kernel_shape": [4, 2], "use_bias": False},
            (X,),
            reference=lambda x, kernel: (x @ kernel).T,
            lead=False,
        ),
    ],
    "linear": [
        Row(
            {"in_features": 4, "out_features": 5},
            (X,),
            {"kernel": normal(4, 5), "bias": normal(5)},
            lambda x, kernel, bias: x @ kernel + bias,
        ),
        Row(
            {"in_features": 4, "out_features": 5, "use_bias": False},
            (X,),
            reference=lambda x, kernel: x @ kernel,
        ),
    ],
    "embed": [
        Row(
            {"num_embeddings": 4, "features": 5},
            (3 * INTS - 4,),
            {"embedding": normal(4, 5)},
            lambda ids, embedding: embedding[ids.clip(0, 3)],
        ),
        Row(
            {"num_embeddings": 4, "features": 5, "mode": "fill"},
            (3 * INTS - 5,),
            reference=lambda ids, embedding: np.where(
                ((ids >= -4) & (ids < 4))[..., None], embedding[ids % 4], np.nan
            ),
            grad=False,
        ),
    ],
    "unembed": Row(
        {"num_embeddings": 5, "features": 4},
        (X,),
        {"embedding": normal(5, 4)},
        lambda x, embedding: x @ embedding.T,
    ),
    "bilinear": [
        Row(
            {"in_features": 4, "other_features": 2, "out_features": 5},
            (X, normal(3, 2)),
            {"kernel": normal(4, 2, 5), "bias": normal(5)},
            lambda x, other, kernel, bias: (
                (x[:, :, None] * other[:, None]).reshape(3, 8) @ kernel.reshape(8, 5)
                + bias
            ),
        ),
        Row(
            {
                "in_features": 4,
                "other_features": 4,
                "out_features": 5,
                "use_bias": False,
            },
            (X, X),
            reference=lambda x, other, kernel: (
                (x[:, :, None] * other[:, None]).reshape(3, 16) @ kernel.reshape(16, 5)
            ),
        ),
    ],
    "lora": Row(
        {"in_features": 4, "out_features": 5, "rank": 2, "alpha": 3.0},
        (normal(3, 5), X),
        {"a": normal(4, 2), "b": normal(2, 5)},
        lambda y, x, a, b: y + x @ (a @ b * 1.5),
    ),
    "prelu": [
        Row(
            {"features": 4},
            (X,),
            {"slope": normal(4)},
            lambda x, slope: np.maximum(x, 0) + slope * np.minimum(x, 0),
        ),
        Row(
            {},
            (X,),
            reference=lambda x, slope: np.maximum(x, 0) + slope * np.minimum(x, 0),
        ),
    ],
}
