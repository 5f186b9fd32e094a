"""Maps of features: what stands between the mixing of positions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .parts import Activation, activated

if TYPE_CHECKING:
    from ..function import FunctionBuilder
    from ..values import Value


def mlp(
    f: FunctionBuilder,
    x: Value,
    *,
    hidden: int,
    features: int | None = None,
    activation: Activation = "gelu",
    use_bias: bool = True,
) -> Value:
    """`down(act(up(x)))`: (..., features in) -> (..., features).

    Args:
        f: writes it.
        x: (..., features in).
        hidden: the features between the two maps, such as `4 * b.width`.
        features: those of the result, by default those of x.
        activation: what stands between them.
        use_bias: both maps have one.
    """
    h = f.linear("up", x, hidden, use_bias=use_bias)
    h = activated(f, activation, h)
    size = x.features if features is None else features
    return f.linear("down", h, size, use_bias=use_bias)


def gated_mlp(
    f: FunctionBuilder,
    x: Value,
    *,
    hidden: int,
    features: int | None = None,
    activation: Activation = "silu",
    use_bias: bool = False,
) -> Value:
    """`down(act(gate(x)) * up(x))`: (..., features in) -> (..., features).

    SwiGLU with `silu`, GEGLU with `gelu`: Shazeer, arXiv:2002.05202. Arguments as in
    `mlp`.
    """
    gate = f.linear("gate", x, hidden, use_bias=use_bias)
    gate = activated(f, activation, gate)
    up = f.linear("up", x, hidden, use_bias=use_bias)
    size = x.features if features is None else features
    return f.linear("down", gate * up, size, use_bias=use_bias)
