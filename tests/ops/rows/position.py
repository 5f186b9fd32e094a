"""Rows of the ops of `schema/ops/position.py`."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from ops.row import (
    Row,
    Rows,
    numbers,
    unary,
)

normal = numbers(6)


def _angles(positions: Any, dim: int, theta: float) -> Any:
    return positions[..., None] * theta ** (-np.arange(0, dim, 2) / dim)


def _rotated(x: Any, cos: Any, sin: Any) -> Any:
    a, b = np.split(x, 2, -1)
    turned = (a + 1j * b) * (cos + 1j * sin)[..., None, :]
    return np.concatenate([turned.real, turned.imag], -1)


def _interleaved(x: Any, cos: Any, sin: Any) -> Any:
    turned = (x[..., ::2] + 1j * x[..., 1::2]) * (cos + 1j * sin)[..., None, :]
    return np.stack([turned.real, turned.imag], -1).reshape(x.shape)


_positions = np.array([0, 1, 5, 700], np.int32)
_cos, _sin = np.cos(_angles(_positions, 6, 1e4)), np.sin(_angles(_positions, 6, 1e4))
_ROPE = (normal(4, 2, 6), _cos.astype(np.float32), _sin.astype(np.float32))

_AT, _BEHIND = np.array([0, 5, 300], np.int32), np.array([3, 0, 31, 7], np.int32)


def _slopes(heads: int) -> list[float]:
    """As the paper's own code has them."""
    n = 2 ** int(np.floor(np.log2(heads)))
    ratio = 2 ** -(2 ** -(np.log2(n) - 3))
    slopes = [ratio * ratio**i for i in range(n)]
    return slopes if n == heads else [*slopes, *_slopes(2 * n)[::2][: heads - n]]


def _alibi(q: Any, k: Any, heads: int) -> Any:
    return -np.array(_slopes(heads))[:, None, None] * np.abs(q[:, None] - k)


def _bucket(key_less_query: int, n: int, most: int, bidirectional: bool) -> int:
    """T5's, in logarithms."""
    behind = 0
    if bidirectional:
        n //= 2
        behind, distance = n * (key_less_query > 0), abs(key_less_query)
    else:
        distance = max(-key_less_query, 0)
    exact = n // 2
    if distance < exact:
        return behind + distance
    share = np.log(distance / exact) / np.log(most / exact) * (n - exact)
    return behind + min(exact + int(share + 1e-9), n - 1)


def _relative(q: Any, k: Any, table: Any, most: int, bidirectional: bool) -> Any:
    n = len(table)
    return np.array(
        [[table[_bucket(j - i, n, most, bidirectional)] for j in k] for i in q]
    ).transpose(2, 0, 1)


def _in_window(table: Any, height: int, width: int) -> Any:
    """Position by position."""
    table = table.reshape(2 * height - 1, 2 * width - 1, -1)
    at = [*np.ndindex(height, width)]
    return np.array(
        [[table[a - c + height - 1, b - d + width - 1] for c, d in at] for a, b in at]
    ).transpose(2, 0, 1)


def _beside_a_class(table: Any, height: int, width: int) -> Any:
    bias = np.zeros((table.shape[-1], 1 + height * width, 1 + height * width))
    bias[:, 1:, 1:] = _in_window(table[:-3], height, width)
    bias[:, 0, 1:], bias[:, 1:, 0] = table[-3][:, None], table[-2][:, None]
    bias[:, 0, 0] = table[-1]
    return bias


ROWS: Rows = {
    "rope_table": [
        Row(
            {"dim": 6},
            (_positions,),
            reference=lambda p: (
                np.cos(_angles(p, 6, 1e4)),
                np.sin(_angles(p, 6, 1e4)),
            ),
        ),
        Row(
            {"dim": 6, "scaling": "linear", "factor": 2.0},
            (np.arange(4),),
            reference=lambda p: (
                np.cos(_angles(p / 2, 6, 1e4)),
                np.sin(_angles(p / 2, 6, 1e4)),
            ),
        ),
        *(
            Row(
                {"dim": 8, "factor": 2.0, "original_length": 3, **more}, (np.arange(4),)
            )
            for more in (
                {"scaling": "dynamic"},
                {"scaling": "yarn"},
                {"scaling": "yarn", "truncate": False, "attention_factor": 1.0},
                {"scaling": "llama3"},
            )
        ),
    ],
    "rope": [
        Row(
            {},
            _ROPE,
            reference=_rotated,
        ),
        Row({"layout": "interleaved"}, _ROPE, reference=_interleaved),
    ],
    "sinusoidal": [
        Row(
            {"dim": 6, "layout": "half_split"},
            (_positions,),
            reference=lambda p: np.concatenate(
                [np.sin(_angles(p, 6, 1e4)), np.cos(_angles(p, 6, 1e4))], -1
            ),
        ),
        unary(
            lambda p: np.stack(
                [np.sin(_angles(p, 6, 1e4)), np.cos(_angles(p, 6, 1e4))], -1
            ).reshape(4, 6),
            np.arange(4),
            dim=6,
            layout="interleaved",
        ),
    ],
    "alibi": [
        Row({"heads": n}, (_AT, _BEHIND), reference=partial(_alibi, heads=n))
        for n in (8, 12)
    ],
    "relative_bias": [
        Row(
            {"heads": 3, "bidirectional": True},
            (_AT, np.arange(400)),
            {"embedding": normal(32, 3)},
            lambda q, k, embedding: _relative(q, k, embedding, 128, True),
            heavy=True,
        ),
        Row(
            {"heads": 2, "bidirectional": False, "num_buckets": 10, "max_distance": 50},
            (_AT, _BEHIND),
            {"embedding": normal(10, 2)},
            lambda q, k, embedding: _relative(q, k, embedding, 50, False),
        ),
    ],
    "window_bias": [
        Row(
            {"heads": 2, "window": [2, 3]},
            (),
            {"embedding": normal(15, 2)},
            lambda embedding: _in_window(embedding, 2, 3),
        ),
        Row(
            {"heads": 2, "window": [2, 3], "class_token": True},
            (),
            reference=lambda embedding: _beside_a_class(embedding, 2, 3),
        ),
    ],
}
