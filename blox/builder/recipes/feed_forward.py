"""Maps of features: what stands between the mixing of positions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .parts import Activation, activated, at_least_one, dropped

if TYPE_CHECKING:
    from ..function import FunctionBuilder
    from ..values import Value


def mlp(
    f: FunctionBuilder,
    x: Value,
    drop_key: Value | None = None,
    *,
    hidden: int | Sequence[int],
    features: int | None = None,
    activation: Activation = "gelu",
    dropout: float = 0.0,
    use_bias: bool = True,
) -> Value:
    """`down(act(up(x)))`: (..., features in) -> (..., features).

    Parameters: `up`, `down`; of several hidden layers `up`, `up_2`, ..., `down`.

    Args:
        f: writes it.
        x: (..., features in).
        drop_key: for `dropout`; without it there is none.
        hidden: the features between two maps, such as `4 * b.width`; a list for several
            hidden layers.
        features: those of the result, by default those of x.
        activation: what stands behind each map but the last.
        dropout: the rate behind each activation.
        use_bias: all maps have one.

    Raises:
        SpecError: a size below 1.
    """
    widths = [*hidden] if isinstance(hidden, Sequence) else [hidden]
    y = x
    for i, width in enumerate(widths):
        more = "" if i == 0 else f"_{i + 1}"
        at_least_one(x, hidden=width)
        y = activated(f, activation, f.linear(f"up{more}", y, width, use_bias=use_bias))
        y = dropped(f, f"drop{more}", y, dropout, drop_key)
    size = x.features if features is None else features
    at_least_one(x, features=size)
    return f.linear("down", y, size, use_bias=use_bias)


def gated_mlp(
    f: FunctionBuilder,
    x: Value,
    drop_key: Value | None = None,
    *,
    hidden: int,
    features: int | None = None,
    activation: Activation = "silu",
    dropout: float = 0.0,
    use_bias: bool = False,
) -> Value:
    """`down(act(gate(x)) * up(x))`: (..., features in) -> (..., features).

    Shazeer, arXiv:2002.05202: `swiglu` with silu, `geglu` with gelu, `reglu` with relu.
    Parameters: `gate`, `up`, `down`. Arguments as in `mlp`; the dropout stands behind the
    product.
    """
    at_least_one(x, hidden=hidden)
    gate = f.linear("gate", x, hidden, use_bias=use_bias)
    gate = activated(f, activation, gate)
    up = f.linear("up", x, hidden, use_bias=use_bias)
    y = dropped(f, "drop", gate * up, dropout, drop_key)
    size = x.features if features is None else features
    at_least_one(x, features=size)
    return f.linear("down", y, size, use_bias=use_bias)


def swiglu(
    f: FunctionBuilder,
    x: Value,
    drop_key: Value | None = None,
    *,
    hidden: int,
    features: int | None = None,
    dropout: float = 0.0,
    use_bias: bool = False,
) -> Value:
    """`down(silu(gate(x)) * up(x))`, a `gated_mlp`: (..., features in) -> (..., features).

    Shazeer, arXiv:2002.05202. Parameters and arguments as there.
    """
    return gated_mlp(
        f, x, drop_key, hidden=hidden, features=features, activation="silu",
        dropout=dropout, use_bias=use_bias,
    )  # fmt: skip


def geglu(
    f: FunctionBuilder,
    x: Value,
    drop_key: Value | None = None,
    *,
    hidden: int,
    features: int | None = None,
    approximate: bool = False,
    dropout: float = 0.0,
    use_bias: bool = False,
) -> Value:
    """`down(gelu(gate(x)) * up(x))`, a `gated_mlp`: (..., features in) -> (..., features).

    Shazeer, arXiv:2002.05202. Parameters and arguments as there; `approximate` is that of
    `gelu`.
    """
    return gated_mlp(
        f, x, drop_key, hidden=hidden, features=features,
        activation="gelu_tanh" if approximate else "gelu",
        dropout=dropout, use_bias=use_bias,
    )  # fmt: skip


def reglu(
    f: FunctionBuilder,
    x: Value,
    drop_key: Value | None = None,
    *,
    hidden: int,
    features: int | None = None,
    dropout: float = 0.0,
    use_bias: bool = False,
) -> Value:
    """`down(relu(gate(x)) * up(x))`, a `gated_mlp`: (..., features in) -> (..., features).

    Shazeer, arXiv:2002.05202. Parameters and arguments as there.
    """
    return gated_mlp(
        f, x, drop_key, hidden=hidden, features=features, activation="relu",
        dropout=dropout, use_bias=use_bias,
    )  # fmt: skip
