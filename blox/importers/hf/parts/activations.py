"""Activations by transformers' names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from blox.builder.function import F
    from blox.builder.values import Value

ACTIVATIONS: dict[str, Callable[[F, Value], Value]] = {
    "gelu": lambda f, x: f.gelu(x, approximate=False, name="act"),
    **dict.fromkeys(
        ("gelu_new", "gelu_pytorch_tanh", "gelu_fast", "gelu_accurate"),
        lambda f, x: f.gelu(x, approximate=True, name="act"),
    ),
    "gelu_python": lambda f, x: f.gelu(x, approximate=False, name="act"),
    "quick_gelu": lambda f, x: x * f.sigmoid(1.702 * x, name="act"),
    "relu": lambda f, x: f.relu(x, name="act"),
    "relu2": lambda f, x: f.square(f.relu(x, name="act")),
    "relu6": lambda f, x: f.relu6(x, name="act"),
    **dict.fromkeys(("silu", "swish"), lambda f, x: f.silu(x, name="act")),
    "tanh": lambda f, x: f.tanh(x, name="act"),
    "mish": lambda f, x: f.mish(x, name="act"),
    "sigmoid": lambda f, x: f.sigmoid(x, name="act"),
    "leaky_relu": lambda f, x: f.leaky_relu(x, name="act"),
}


def activation(f: F, name: str, x: Value) -> Value:
    """x through an activation."""
    return ACTIVATIONS[name](f, x)


def gated(f: F, x: Value, hidden: int, *, act: str, use_bias: bool = False) -> Value:
    """An MLP with a gate: `down(act(gate(x)) * up(x))`."""
    gate = activation(f, act, f.linear("gate", x, hidden, use_bias=use_bias))
    y = gate * f.linear("up", x, hidden, use_bias=use_bias)
    return f.linear("down", y, x.features, use_bias=use_bias)
