"""Blocks of transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from .attention import Rope, multi_head_attention
from .feed_forward import gated_mlp, mlp
from .parts import Activation

if TYPE_CHECKING:
    from ..function import FunctionBuilder
    from ..values import Value

Norm = Literal["layer_norm", "rms_norm"]


def transformer_block(
    f: FunctionBuilder,
    x: Value,
    cos: Value | None = None,
    sin: Value | None = None,
    mask: Value | None = None,
    *,
    heads: int,
    hidden: int,
    kv_heads: int | None = None,
    head_dim: int | None = None,
    rope: Rope = "half_split",
    gated: bool = False,
    activation: Activation = "gelu",
    norm: Norm = "layer_norm",
    eps: float = 1e-5,
    order: Literal["pre", "post"] = "pre",
    use_bias: bool = True,
) -> Value:
    """Attention and an MLP, each with a residual and a norm: features stay.

    `pre`: `x + attention(norm(x))`, then `x + mlp(norm(x))`; `post`: the norms follow
    the sums, as in Vaswani et al., arXiv:1706.03762.

    Args:
        f: writes it.
        x: (..., time, features).
        cos: as `sin` and `mask`, those of `multi_head_attention`.
        sin: see `cos`.
        mask: see `cos`.
        heads: as `kv_heads`, `head_dim` and `rope`, those of `multi_head_attention`.
        hidden: as `activation`, that of `mlp`.
        kv_heads: see `heads`.
        head_dim: see `heads`.
        rope: see `heads`.
        gated: the MLP is a `gated_mlp`.
        activation: see `hidden`.
        norm: which one.
        eps: of the norms.
        order: where the norms stand.
        use_bias: all maps of attention and MLP have one.
    """

    def attended(x: Value) -> Value:
        return f.call("attn", multi_head_attention)(
            x,
            cos=cos,
            sin=sin,
            mask=mask,
            heads=heads,
            kv_heads=kv_heads,
            head_dim=head_dim,
            rope=rope,
            use_bias=use_bias,
        )

    def mapped(x: Value) -> Value:
        run = f.call("mlp", gated_mlp if gated else mlp)
        return run(x, hidden=hidden, activation=activation, use_bias=use_bias)

    def normed(name: str, x: Value) -> Value:
        if norm == "rms_norm":
            return f.rms_norm(name, x, eps=eps)
        return f.layer_norm(name, x, eps=eps)

    if order == "pre":
        x = x + attended(normed("ln_1", x))
        return x + mapped(normed("ln_2", x))
    x = normed("ln_1", x + attended(x))
    return normed("ln_2", x + mapped(x))
