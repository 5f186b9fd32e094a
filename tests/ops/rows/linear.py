"""Rows of the ops of `schema/ops/linear.py`."""

from __future__ import annotations

from ops.row import (
    INTS,
    Row,
    Rows,
    X,
    numbers,
)

normal = numbers(8)

ROWS: Rows = {
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
    "embed": Row(
        {"num_embeddings": 4, "features": 5},
        (INTS,),
        {"embedding": normal(4, 5)},
        lambda ids, embedding: embedding[ids],
    ),
    "unembed": Row(
        {"num_embeddings": 5, "features": 4},
        (X,),
        {"embedding": normal(5, 4)},
        lambda x, embedding: x @ embedding.T,
    ),
}
