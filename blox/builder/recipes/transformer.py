"""Blocks of transformers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, get_args

from .attention import Rope, multi_head_attention
from .feed_forward import gated_mlp, mlp
from .parts import Activation, Norm, dropped, expect, normed

if TYPE_CHECKING:
    from ..function import FunctionBuilder
    from ..values import Value

Order = Literal["pre", "post", "sandwich", "parallel"]
Serial = Literal["pre", "post", "sandwich"]


def transformer_block(
    f: FunctionBuilder,
    x: Value,
    cos: Value | None = None,
    sin: Value | None = None,
    mask: Value | None = None,
    bias: Value | None = None,
    drop_key: Value | None = None,
    *,
    heads: int,
    hidden: int,
    kv_heads: int | None = None,
    head_dim: int | None = None,
    rope: Rope = "half_split",
    causal: bool = False,
    window: int | None = None,
    qk_norm: Norm | None = None,
    scale: float | None = None,
    softcap: float | None = None,
    gated: bool = False,
    activation: Activation = "gelu",
    norm: Norm = "layer_norm",
    eps: float = 1e-5,
    order: Order = "pre",
    dropout: float = 0.0,
    attention_dropout: float = 0.0,
    use_bias: bool = True,
) -> Value:
    """Attention and an MLP, each with a residual and a norm: features stay.

    `pre`: `x + attention(norm(x))`, then `x + mlp(norm(x))`; `post`: the norms follow
    the sums, as in Vaswani et al., arXiv:1706.03762; `sandwich`: `pre` with a second norm
    before each sum (Gemma 2, arXiv:2408.00118); `parallel`:
    `x + attention(h) + mlp(h)`, h being `norm(x)` (GPT-J, PaLM, arXiv:2204.02311).

    Parameters: `ln_1`, `attn`, `ln_2`, `mlp`; `ln_1_out` and `ln_2_out` in a sandwich, no
    `ln_2` in parallel.

    Args:
        f: writes it.
        x: (..., time, features).
        cos: as `sin`, `mask` and `bias`, those of `multi_head_attention`.
        sin: see `cos`.
        mask: see `cos`.
        bias: see `cos`.
        drop_key: for dropout; without it there is none.
        heads: as `kv_heads` to `softcap`, those of `multi_head_attention`.
        hidden: as `activation`, that of `mlp`.
        kv_heads: see `heads`.
        head_dim: see `heads`.
        rope: see `heads`.
        causal: see `heads`.
        window: see `heads`.
        qk_norm: see `heads`.
        scale: see `heads`.
        softcap: see `heads`.
        gated: the MLP is a `gated_mlp`.
        activation: see `hidden`.
        norm: which one.
        eps: of the norms.
        order: where the norms stand.
        dropout: the rate behind attention and MLP, and within the MLP.
        attention_dropout: that of the weights of attention.
        use_bias: all maps of attention and MLP have one.
    """

    orders = get_args(Order)
    expect(x, order in orders, "order", "one of " + ", ".join(orders), order)
    weights_key = drop_key if attention_dropout else None

    def attended(x: Value) -> Value:
        y = f.call("attn", multi_head_attention)(
            x, cos=cos, sin=sin, mask=mask, bias=bias, drop_key=weights_key,
            heads=heads, kv_heads=kv_heads, head_dim=head_dim, rope=rope,
            causal=causal, window=window, qk_norm=qk_norm, scale=scale,
            softcap=softcap, dropout=attention_dropout, use_bias=use_bias,
        )  # fmt: skip
        return dropped(f, "drop_attn", y, dropout, drop_key)

    mapped = _mapped(f, drop_key, hidden, gated, activation, dropout, use_bias)
    if order == "parallel":
        h = normed(f, "ln_1", x, norm, eps)
        return x + attended(h) + mapped(h)
    x = _residual(f, "ln_1", x, attended, norm, eps, order)
    return _residual(f, "ln_2", x, mapped, norm, eps, order)


def decoder_block(
    f: FunctionBuilder,
    x: Value,
    context: Value,
    cos: Value | None = None,
    sin: Value | None = None,
    mask: Value | None = None,
    context_mask: Value | None = None,
    bias: Value | None = None,
    drop_key: Value | None = None,
    *,
    heads: int,
    hidden: int,
    kv_heads: int | None = None,
    head_dim: int | None = None,
    rope: Rope = "half_split",
    causal: bool = True,
    scale: float | None = None,
    gated: bool = False,
    activation: Activation = "gelu",
    norm: Norm = "layer_norm",
    eps: float = 1e-5,
    order: Serial = "pre",
    dropout: float = 0.0,
    attention_dropout: float = 0.0,
    use_bias: bool = True,
) -> Value:
    """A transformer block that looks at another sequence too: features stay.

    Attention within x, which is causal, then attention to `context`, then an MLP.
    Vaswani et al., arXiv:1706.03762. Parameters: `ln_1`, `attn`, `ln_2`, `cross`, `ln_3`,
    `mlp`; `ln_1_out`, `ln_2_out`, `ln_3_out` in a sandwich.

    Args:
        f: writes it.
        x: (..., time, features).
        context: (..., keys, any features), what an encoder gives.
        cos: of the attention within x, as in `multi_head_attention`.
        sin: see `cos`.
        mask: (..., heads or 1, time, time), of the attention within x.
        context_mask: (..., heads or 1, time or 1, keys), of that to `context`, such as
            what `padding_mask` gives.
        bias: as `mask`, added to the scores.
        drop_key: for dropout; without it there is none.
        heads: as `kv_heads`, `head_dim` and `scale`, of both attentions.
        hidden: that of `mlp`.
        kv_heads: see `heads`.
        head_dim: see `heads`.
        rope: see `cos`.
        causal: of the attention within x.
        scale: see `heads`.
        gated: as all that follows, in `transformer_block`.
        activation: see `gated`.
        norm: see `gated`.
        eps: see `gated`.
        order: see `gated`.
        dropout: see `gated`.
        attention_dropout: see `gated`.
        use_bias: see `gated`.
    """

    orders = get_args(Serial)
    expect(x, order in orders, "order", "one of " + ", ".join(orders), order)
    weights_key = drop_key if attention_dropout else None

    def attended(x: Value) -> Value:
        y = f.call("attn", multi_head_attention)(
            x, cos=cos, sin=sin, mask=mask, bias=bias, drop_key=weights_key,
            heads=heads, kv_heads=kv_heads, head_dim=head_dim, rope=rope, causal=causal,
            scale=scale, dropout=attention_dropout, use_bias=use_bias,
        )  # fmt: skip
        return dropped(f, "drop_attn", y, dropout, drop_key)

    def crossed(x: Value) -> Value:
        y = f.call("cross", multi_head_attention)(
            x, context, mask=context_mask, drop_key=weights_key, heads=heads,
            kv_heads=kv_heads, head_dim=head_dim, scale=scale,
            dropout=attention_dropout, use_bias=use_bias,
        )  # fmt: skip
        return dropped(f, "drop_cross", y, dropout, drop_key)

    mapped = _mapped(f, drop_key, hidden, gated, activation, dropout, use_bias)
    x = _residual(f, "ln_1", x, attended, norm, eps, order)
    x = _residual(f, "ln_2", x, crossed, norm, eps, order)
    return _residual(f, "ln_3", x, mapped, norm, eps, order)


def _mapped(
    f: FunctionBuilder,
    drop_key: Value | None,
    hidden: int,
    gated: bool,
    activation: Activation,
    dropout: float,
    use_bias: bool,
) -> Callable[[Value], Value]:
    """The MLP of a block."""

    def run(x: Value) -> Value:
        y = f.call("mlp", gated_mlp if gated else mlp)(
            x, drop_key if dropout else None, hidden=hidden, activation=activation,
            dropout=dropout, use_bias=use_bias,
        )  # fmt: skip
        return dropped(f, "drop_mlp", y, dropout, drop_key)

    return run


def _residual(
    f: FunctionBuilder,
    name: str,
    x: Value,
    branch: Callable[[Value], Value],
    norm: Norm,
    eps: float,
    order: Order,
) -> Value:
    """x and what a branch makes of it, with the norms where the order has them."""
    if order == "post":
        return normed(f, name, x + branch(x), norm, eps)
    y = branch(normed(f, name, x, norm, eps))
    return x + (normed(f, f"{name}_out", y, norm, eps) if order == "sandwich" else y)
