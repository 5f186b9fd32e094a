"""What several recipes have in common: activations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ..function import FunctionBuilder
    from ..values import Value

Activation = Literal["gelu", "gelu_tanh", "relu", "silu", "sigmoid", "tanh"]
"""`gelu` is the exact one, `gelu_tanh` its approximation."""


def activated(f: FunctionBuilder, activation: Activation, x: Value) -> Value:
    match activation:
        case "gelu" | "gelu_tanh":
            return f.gelu(x, approximate=activation == "gelu_tanh")
        case "relu":
            return f.relu(x)
        case "silu":
            return f.silu(x)
        case "sigmoid":
            return f.sigmoid(x)
        case "tanh":
            return f.tanh(x)
