"""Attention with its maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from .parts import Norm, at_least_one, divisor, expect, normed

if TYPE_CHECKING:
    from ..function import FunctionBuilder
    from ..values import Value

Rope = Literal["half_split", "interleaved"]


def multi_head_attention(
    f: FunctionBuilder,
    x: Value,
    context: Value | None = None,
    cos: Value | None = None,
    sin: Value | None = None,
    mask: Value | None = None,
    bias: Value | None = None,
    drop_key: Value | None = None,
    *,
    heads: int,
    kv_heads: int | None = None,
    head_dim: int | None = None,
    features: int | None = None,
    rope: Rope = "half_split",
    causal: bool = False,
    window: int | None = None,
    qk_norm: Norm | None = None,
    eps: float = 1e-6,
    scale: float | None = None,
    softcap: float | None = None,
    sinks: bool = False,
    dropout: float = 0.0,
    use_bias: bool = True,
    out_bias: bool | None = None,
) -> Value:
    """Scaled dot-product attention: (..., time, features in) -> (..., time, features).

    Parameters: `query`, `key`, `value`, `out`; `query_norm` and `key_norm` with
    `qk_norm`; `sinks`.

    Args:
        f: writes it.
        x: (..., time, features in), what queries are made of.
        context: (..., keys, any features), what keys and values are made of: another
            sequence, by default x.
        cos: (..., time, head_dim / 2), of a `rope_table` of dim `head_dim`; with `sin`,
            queries and keys are turned by it. Su et al., arXiv:2104.09864.
        sin: as `cos`.
        mask: (..., heads or 1, time, keys), True where a query may attend.
        bias: (..., heads or 1, time, keys), added to the scores: of `alibi`,
            `relative_bias` or `window_bias`.
        drop_key: for `dropout`; without it there is none.
        heads: of the queries.
        kv_heads: of keys and values, each serving heads / kv_heads heads (GQA,
            arXiv:2305.13245); by default as many as heads.
        head_dim: features of one head, by default those of x over heads.
        features: those of the result, by default those of x.
        rope: the layout in which `cos` and `sin` turn features.
        causal: a position attends to none behind it.
        window: a position attends to those less than so many away.
        qk_norm: queries and keys are normalised over the features of a head, before they
            are turned. Henry et al., arXiv:2010.04245.
        eps: of these norms.
        scale: of the scores, by default `head_dim ** -0.5`.
        softcap: as in `dot_product_attention`.
        sinks: each head has a learned score for a weight that goes nowhere,
            arXiv:2309.17453.
        dropout: the rate at which weights are dropped.
        use_bias: the maps have one.
        out_bias: the last map has one, by default as the others.

    Raises:
        SpecError: sizes that do not fit; one of `cos` and `sin`; these, `causal` or
            `window` with a `context`, whose positions would be of two sequences.
    """
    sizes = heads_of(x, heads, kv_heads, head_dim, window)
    check_table(x, context, cos, sin)
    q, k, v = projected(f, x, x if context is None else context, sizes, use_bias)
    q, k = turned(f, q, k, cos, sin, rope, qk_norm, eps)
    if causal or window is not None:
        expect(x, context is None, "context", "none with causal or window", "one")
    sink = f.param("sinks", [heads]) if sinks else None
    if dropout:
        if causal or window is not None:
            mask = _own_mask(f, x, mask, causal, window)
        y = _with_dropout(
            f,
            q,
            k,
            v,
            mask,
            bias,
            sink,
            drop_key,
            scale,
            sizes.shared,
            softcap,
            dropout,
        )
    else:
        y = f.dot_product_attention(
            q, k, v, mask, bias, sink, scale, softcap, window=window, causal=causal,
            heads_per_kv=sizes.shared, name="attended",
        )  # fmt: skip
    out = x.features if features is None else features
    return merged(f, y, out, sizes, use_bias if out_bias is None else out_bias)


class Heads(NamedTuple):
    """The heads of an attention, and the features of its maps."""

    heads: int
    groups: int
    """Those of keys and values."""
    size: int
    width: int
    narrow: int
    """The features of keys and values."""
    shared: int
    """How many heads each of keys and values serves."""


def heads_of(
    x: Value, heads: int, kv_heads: int | None, head_dim: int | None, window: int | None
) -> Heads:
    """The sizes that the arguments of a recipe mean; those that can't be are refused."""
    groups = heads if kv_heads is None else kv_heads
    at_least_one(x, heads=heads, kv_heads=groups, head_dim=head_dim, window=window)
    divisor(x, "kv_heads", groups, "heads", heads)
    if head_dim is None:
        divisor(x, "heads", heads, "the features of x", x.features)
    size = x.features // heads if head_dim is None else head_dim
    width = x.features if head_dim is None else heads * head_dim
    narrow = width if kv_heads is None else kv_heads * size
    shared = 1 if kv_heads is None else heads // groups
    return Heads(heads, groups, size, width, narrow, shared)


def projected(
    f: FunctionBuilder,
    x: Value,
    source: Value,
    sizes: Heads,
    use_bias: bool,
    ending: str = "",
) -> tuple[Value, Value, Value]:
    """Queries of x, keys and values of a source, by heads; these with an ending to their
    names."""
    q = f.linear("query", x, sizes.width, use_bias=use_bias)
    q = f.reshape(q, ["...", sizes.heads, sizes.size], name="q")
    k = f.linear("key", source, sizes.narrow, use_bias=use_bias)
    k = f.reshape(k, ["...", sizes.groups, sizes.size], name=f"k{ending}")
    v = f.linear("value", source, sizes.narrow, use_bias=use_bias)
    v = f.reshape(v, ["...", sizes.groups, sizes.size], name=f"v{ending}")
    return q, k, v


def merged(
    f: FunctionBuilder, y: Value, features: int, sizes: Heads, use_bias: bool
) -> Value:
    """The last map, of what all heads give."""
    y = f.flatten(y, start=-2, name="merged")
    return f.linear("out", y, features, in_features=sizes.width, use_bias=use_bias)


def turned(
    f: FunctionBuilder,
    q: Value,
    k: Value,
    cos: Value | None,
    sin: Value | None,
    rope: Rope,
    qk_norm: Norm | None,
    eps: float,
) -> tuple[Value, Value]:
    """Queries and keys, normalised where there is a norm, turned where there is a table."""
    if qk_norm is not None:
        q = normed(f, "query_norm", q, qk_norm, eps)
        k = normed(f, "key_norm", k, qk_norm, eps)
    if cos is not None and sin is not None:
        q = f.rope(q, cos, sin, layout=rope, name="q_rope")
        k = f.rope(k, cos, sin, layout=rope, name="k_rope")
    return q, k


def check_table(
    x: Value, context: Value | None, cos: Value | None, sin: Value | None
) -> None:
    half = (cos is None) != (sin is None)
    if half or (cos is not None and context is not None):
        x.fault(
            "builder-value",
            "expected cos and sin together, and no context beside them",
            "positions of two sequences need two tables: write it by f.rope",
        )


def _own_mask(
    f: FunctionBuilder,
    x: Value,
    mask: Value | None,
    causal: bool,
    window: int | None,
) -> Value:
    """The mask by positions, and what another one allows of it."""
    at = f.arange(x.shape[-2], name="positions")
    own = f.attention_mask(at, at, causal=causal, window=window, name="near")
    if mask is None:
        return own
    other = f.default(mask, own) if mask.optional else mask
    return f.logical_and(own, other, name="allowed")


def _with_dropout(
    f: FunctionBuilder,
    q: Value,
    k: Value,
    v: Value,
    mask: Value | None,
    bias: Value | None,
    sinks: Value | None,
    drop_key: Value | None,
    scale: float | None,
    shared: int,
    softcap: float | None,
    rate: float,
) -> Value:
    """`dot_product_attention` in small ops, with dropout of the weights."""
    if shared != 1:
        k = f.repeat_elements(k, shared, axis=-2, name="k_shared")
        v = f.repeat_elements(v, shared, axis=-2, name="v_shared")
    y = f.einsum([q.astype("float32"), k], "...qhd,...khd->...hqk", name="scores")
    y = y * (q.features**-0.5 if scale is None else scale)
    y = y if softcap is None else softcap * f.tanh(y / softcap)
    y = y if bias is None else y + bias
    y = y if mask is None else f.where(mask, y, -1e30)
    if sinks is not None:
        *batch, time, heads, _ = q.shape
        column = f.broadcast_to(sinks[:, None, None], [*batch, heads, time, 1])
        y = f.concatenate([y, column], axis=-1)
    weights = f.softmax(y, axis=-1)
    if sinks is not None:
        weights = weights[..., :-1]
    weights = f.dropout("drop", weights.astype("float"), rate, key=drop_key)
    return f.einsum([weights, v], "...hqk,...khd->...qhd", name="attended")
