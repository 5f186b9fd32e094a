"""What several recipes have in common: activations, norms, dropout, checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from ..function import FunctionBuilder
    from ..values import Value

Activation = Literal[
    "celu",
    "elu",
    "gelu",
    "gelu_tanh",
    "hard_sigmoid",
    "hard_silu",
    "hard_tanh",
    "leaky_relu",
    "mish",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "soft_sign",
    "softplus",
    "tanh",
]
"""The op of that name; `gelu` is the exact one, `gelu_tanh` its approximation."""
Norm = Literal["layer_norm", "rms_norm"]


def activated(f: FunctionBuilder, activation: Activation, x: Value) -> Value:
    """What an activation gives."""
    if activation in ("gelu", "gelu_tanh"):
        return f.gelu(x, approximate=activation == "gelu_tanh")
    known = get_args(Activation)
    expect(
        x, activation in known, "activation", "one of " + ", ".join(known), activation
    )
    y: Value = f.op(activation, x)
    return y


def normed(f: FunctionBuilder, name: str, x: Value, norm: Norm, eps: float) -> Value:
    """x normalised over its features."""
    if norm == "rms_norm":
        return f.rms_norm(name, x, eps=eps)
    return f.layer_norm(name, x, eps=eps)


def dropped(
    f: FunctionBuilder, name: str, x: Value, rate: float, key: Value | None
) -> Value:
    """x with dropout, where there is a rate."""
    return f.dropout(name, x, rate, key=key) if rate else x


def expect(
    x: Value, fits: bool, argument: str, expected: str, found: Any, hint: str = ""
) -> None:
    """Refuses an argument of a recipe by its name."""
    if not fits:
        message = f"{argument}: expected {expected}, found {found}"
        x.fault("builder-value", message, hint)


def at_least_one(x: Value, **given: Any) -> None:
    """Refuses numbers below 1."""
    for argument, size in given.items():
        small = isinstance(size, (int, float)) and size < 1
        expect(x, not small, argument, "at least 1", size)


def divisor(x: Value, argument: str, size: Any, whole: str, count: Any) -> None:
    """Refuses a number that is no divisor of what it parts."""
    if isinstance(size, int) and isinstance(count, int):
        fits = size > 0 and count % size == 0
        expect(x, fits, argument, f"a divisor of {whole}, {count}", size)
