"""Rows of the ops of `schema/ops/recurrent.py`."""

from __future__ import annotations

from typing import Any

import numpy as np
from ops.row import (
    Row,
    Rows,
    X,
    numbers,
)

normal = numbers(11)
H, C = normal(3, 5), normal(3, 5)


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def _weights(gates: int, biases: int) -> dict[str, Any]:
    names = ["bias", "recurrent_bias"][:biases]
    kernels = {
        "kernel": normal(4, 5 * gates),
        "recurrent_kernel": normal(5, 5 * gates),
    }
    return kernels | {name: normal(5 * gates) for name in names}


def _lstm(
    x: Any, h: Any, c: Any, kernel: Any, recurrent_kernel: Any, bias: Any = 0
) -> Any:
    both = np.concatenate([x, h], -1) @ np.concatenate([kernel, recurrent_kernel])
    gates = (both + bias).reshape(3, 4, 5)
    i, f, o = (_sigmoid(gates[:, n]) for n in (0, 1, 3))
    c = f * c + i * np.tanh(gates[:, 2])
    return o * np.tanh(c), c


def _gru(
    x: Any,
    h: Any,
    kernel: Any,
    recurrent_kernel: Any,
    bias: Any = 0,
    recurrent_bias: Any = 0,
    *,
    after: bool = True,
) -> Any:
    a = (x @ kernel + bias).reshape(3, 3, 5)
    u = recurrent_kernel.reshape(5, 3, 5)
    w = np.broadcast_to(recurrent_bias, 15).reshape(3, 5)
    r, z = (_sigmoid(a[:, n] + h @ u[:, n] + w[n]) for n in (0, 1))
    inner = r * (h @ u[:, 2] + w[2]) if after else (r * h) @ u[:, 2] + w[2]
    return z * h + (1 - z) * np.tanh(a[:, 2] + inner)


SIZES = {"in_features": 4, "units": 5}
ROWS: Rows = {
    "lstm_cell": [
        Row(SIZES, (X, H, C), _weights(4, 1), _lstm, heavy=True),
        Row({**SIZES, "use_bias": False}, (X, H, C), reference=_lstm),
    ],
    "gru_cell": [
        Row(SIZES, (X, H), _weights(3, 2), _gru, heavy=True),
        Row({**SIZES, "use_bias": False}, (X, H), reference=_gru),
        Row(
            {**SIZES, "variant": "original"},
            (X, H),
            reference=lambda *given, **params: _gru(*given, **params, after=False),
        ),
    ],
    "rnn_cell": [
        Row(
            SIZES,
            (X, H),
            _weights(1, 1),
            lambda x, h, kernel, recurrent_kernel, bias: np.tanh(
                x @ kernel + h @ recurrent_kernel + bias
            ),
        ),
        Row(
            {**SIZES, "activation": "relu", "use_bias": False},
            (X, H),
            reference=lambda x, h, kernel, recurrent_kernel: np.maximum(
                x @ kernel + h @ recurrent_kernel, 0
            ),
        ),
    ],
}
