"""A mixture of experts: each token runs a few of many MLPs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blox.mapping.layouts import Kernel
from blox.mapping.rules import Rule

from .activations import activation

if TYPE_CHECKING:
    from blox.builder.function import F
    from blox.builder.values import Value


def mixture(
    f: F, x: Value, *, experts: int, top_k: int, hidden: int, act: str, normalize: bool
) -> Value:
    """The sum of the MLPs that a router chooses for each token, by its probabilities."""
    logits = f.linear("router", x, experts, use_bias=False)
    probabilities = f.softmax(f.astype(logits, "float32"), name="probabilities")
    weights, chosen = f.top_k(probabilities, top_k, name="top")
    if normalize:
        weights = weights / f.sum(weights, axis=-1, keepdims=True)
    weights = f.astype(weights, "float", name="weights")
    rows = x[..., None, :]
    gate = f.expert_linear("gate", rows, chosen, experts, hidden, use_bias=False)
    up = f.expert_linear("up", rows, chosen, experts, hidden, use_bias=False)
    y = activation(f, act, gate) * up
    y = f.expert_linear("down", y, chosen, experts, x.features, use_bias=False)
    return f.sum(y * weights[..., None], axis=-2, name="mixed")


def of_experts(
    theirs: str, gate: str, up: str, down: str, *, ours: str = "layers.{i}.mlp"
) -> list[Rule]:
    """Rules for experts that have an array each."""
    names = {"gate": gate, "up": up, "down": down}
    return [
        Rule(f"{ours}.{mine}.kernel", f"{theirs}.{{e}}.{name}.weight", Kernel())
        for mine, name in names.items()
    ]
