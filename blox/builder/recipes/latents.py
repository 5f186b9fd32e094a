"""Perceivers: a few latents that attend to inputs of any number and kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .attention import multi_head_attention
from .feed_forward import mlp
from .parts import Activation, Norm, at_least_one, dropped, normed
from .transformer import transformer_block

if TYPE_CHECKING:
    from ..function import FunctionBuilder
    from ..values import Value


def perceiver_block(
    f: FunctionBuilder,
    x: Value,
    context: Value,
    mask: Value | None = None,
    drop_key: Value | None = None,
    *,
    heads: int,
    hidden: int,
    head_dim: int | None = None,
    query_residual: bool = True,
    activation: Activation = "gelu",
    norm: Norm = "layer_norm",
    eps: float = 1e-5,
    dropout: float = 0.0,
    use_bias: bool = True,
) -> Value:
    """Latents look at inputs: `x + attention(norm(x), norm(context))`, then an MLP.

    (..., latents, features) -> (..., latents, features). Jaegle et al., arXiv:2103.03206
    and arXiv:2107.14795. Parameters: `ln_1`, `ln_context`, `attn`, `ln_2`, `mlp`.

    Args:
        f: writes it.
        x: (..., latents, features), what looks: latents, or queries of a result. Without
            the leading axes of the context they are the same for all.
        context: (..., keys, any features), what is looked at.
        mask: (..., heads or 1, latents or 1, keys), True where x may look.
        drop_key: for `dropout`; without it there is none.
        heads: as `head_dim`, those of `multi_head_attention`.
        hidden: as `activation`, that of `mlp`.
        head_dim: see `heads`.
        query_residual: x is added to what attention gives; left out where x are queries
            of another meaning than the result.
        activation: see `hidden`.
        norm: which one.
        eps: of the norms.
        dropout: the rate behind attention and MLP.
        use_bias: all maps have one.
    """
    y = f.call("attn", multi_head_attention)(
        normed(f, "ln_1", x, norm, eps), normed(f, "ln_context", context, norm, eps),
        mask=mask, heads=heads, head_dim=head_dim, use_bias=use_bias,
    )  # fmt: skip
    y = dropped(f, "drop_attn", y, dropout, drop_key)
    x = x + y if query_residual else y
    h = normed(f, "ln_2", x, norm, eps)
    run = f.call("mlp", mlp)
    y = run(h, hidden=hidden, activation=activation, use_bias=use_bias)
    return x + dropped(f, "drop_mlp", y, dropout, drop_key)


def perceiver(
    f: FunctionBuilder,
    context: Value,
    mask: Value | None = None,
    drop_key: Value | None = None,
    *,
    latents: int,
    features: int,
    heads: int,
    hidden: int,
    depth: int,
    cross_heads: int = 1,
    activation: Activation = "gelu",
    norm: Norm = "layer_norm",
    eps: float = 1e-5,
    dropout: float = 0.0,
    use_bias: bool = True,
) -> Value:
    """Latents that look at inputs once, then at each other: the encoder of Perceiver IO.

    (..., keys, any features) -> (..., latents, features). Jaegle et al.,
    arXiv:2107.14795. Parameters: `latents`, `cross`, and `blocks`, stacked.

    Args:
        f: writes it.
        context: (..., keys, any features), the inputs, their positions among the features.
        mask: (..., 1, 1, keys), True where an input counts, such as what `padding_mask`
            gives.
        drop_key: for `dropout`; without it there is none.
        latents: how many.
        features: of each.
        heads: of the blocks.
        hidden: of all MLPs, such as `features` or 4 times those.
        depth: how many blocks.
        cross_heads: of the first attention.
        activation: as all that follows, in `perceiver_block`.
        norm: see `activation`.
        eps: see `activation`.
        dropout: see `activation`.
        use_bias: see `activation`.
    """
    at_least_one(context, latents=latents, features=features, depth=depth)
    own_key = drop_key if dropout else None
    x = f.param("latents", [latents, features])
    x = f.call("cross", perceiver_block)(
        x, context, mask, own_key, heads=cross_heads, hidden=hidden,
        activation=activation, norm=norm, eps=eps, dropout=dropout, use_bias=use_bias,
    )  # fmt: skip
    return f.repeat("blocks", transformer_block, count=depth)(
        x, drop_key=own_key, heads=heads, hidden=hidden, activation=activation,
        norm=norm, eps=eps, dropout=dropout, use_bias=use_bias,
    )  # fmt: skip
