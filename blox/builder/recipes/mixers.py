"""Blocks that mix positions by linear maps, without attention."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .feed_forward import mlp
from .parts import Activation, activated, at_least_one, expect

if TYPE_CHECKING:
    from ..function import FunctionBuilder
    from ..values import Value


def mixer_block(
    f: FunctionBuilder,
    x: Value,
    *,
    tokens_hidden: int,
    hidden: int,
    activation: Activation = "gelu",
    eps: float = 1e-6,
) -> Value:
    """An MLP over the positions, then one over the features, each with a residual.

    (..., time, features) -> (..., time, features), time being a fixed number. Tolstikhin
    et al., arXiv:2105.01601. Parameters: `ln_1`, `tokens`, `ln_2`, `mlp`.

    Args:
        f: writes it.
        x: (..., time, features).
        tokens_hidden: of the MLP over positions.
        hidden: of that over features.
        activation: of both.
        eps: of the norms.
    """
    y = f.swapaxes(f.layer_norm("ln_1", x, eps=eps), -1, -2)
    y = f.call("tokens", mlp)(y, hidden=tokens_hidden, activation=activation)
    x = x + f.swapaxes(y, -1, -2)
    y = f.layer_norm("ln_2", x, eps=eps)
    return x + f.call("mlp", mlp)(y, hidden=hidden, activation=activation)


def gmlp_block(
    f: FunctionBuilder,
    x: Value,
    *,
    hidden: int,
    activation: Activation = "gelu",
    eps: float = 1e-5,
) -> Value:
    """`x + down(u * mix(norm(v)))`, u and v being halves of `act(up(norm(x)))`.

    `mix` is linear over the positions: (..., time, features) -> (..., time, features),
    time being a fixed number. Liu et al., arXiv:2105.08050. Parameters: `ln`, `up`,
    `ln_gate`, `mix` (which starts near 0, its bias at 1), `down`.

    Args:
        f: writes it.
        x: (..., time, features).
        hidden: the features of both halves together.
        activation: before they part.
        eps: of the norms.

    Raises:
        SpecError: an odd `hidden`.
    """
    at_least_one(x, hidden=hidden)
    expect(x, hidden % 2 == 0, "hidden", "an even number", hidden)
    y = f.linear("up", f.layer_norm("ln", x, eps=eps), hidden)
    y = activated(f, activation, y)
    u, v = f.split(y, 2, axis=-1, names=["u", "v"], name="halves")
    v = f.swapaxes(f.layer_norm("ln_gate", v, eps=eps), -1, -2)
    near_zero, ones = {"name": "normal", "stddev": 1e-6}, {"name": "ones"}
    v = f.linear("mix", v, v.features, init={"kernel": near_zero, "bias": ones})
    return x + f.linear("down", u * f.swapaxes(v, -1, -2), x.features)
