"""Attention with its maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

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
    *,
    heads: int,
    kv_heads: int | None = None,
    head_dim: int | None = None,
    features: int | None = None,
    rope: Rope = "half_split",
    use_bias: bool = True,
) -> Value:
    """Scaled dot-product attention: (..., time, features in) -> (..., time, features).

    Args:
        f: writes it.
        x: (..., time, features in), what queries are made of.
        context: (..., keys, any features), what keys and values are made of: another
            sequence, by default x.
        cos: (..., time, head_dim / 2), of a `rope_table` of dim `head_dim`; with `sin`,
            queries and keys are turned by it. Su et al., arXiv:2104.09864.
        sin: as `cos`.
        mask: (..., heads or 1, time, keys), True where a query may attend.
        heads: of the queries.
        kv_heads: of keys and values, each serving heads / kv_heads heads (GQA,
            arXiv:2305.13245); by default as many as heads.
        head_dim: features of one head, by default those of x over heads.
        features: those of the result, by default those of x.
        rope: the layout in which `cos` and `sin` turn features.
        use_bias: all four maps have one.

    Raises:
        SpecError: one of `cos` and `sin`, or both with a `context`, whose positions
            would be of two sequences.
    """
    groups = heads if kv_heads is None else kv_heads
    size = x.features // heads if head_dim is None else head_dim
    width = x.features if head_dim is None else heads * head_dim
    narrow = width if kv_heads is None else kv_heads * size
    source = x if context is None else context

    q = f.linear("query", x, width, use_bias=use_bias)
    q = f.reshape(q, ["...", heads, size], name="q")
    k = f.linear("key", source, narrow, use_bias=use_bias)
    k = f.reshape(k, ["...", groups, size], name="k")
    v = f.linear("value", source, narrow, use_bias=use_bias)
    v = f.reshape(v, ["...", groups, size], name="v")
    if cos is not None and sin is not None and context is None:
        q = f.rope(q, cos, sin, layout=rope, name="q_rope")
        k = f.rope(k, cos, sin, layout=rope, name="k_rope")
    elif cos is not None or sin is not None:
        x.fault(
            "builder-value",
            "expected cos and sin together, and no context beside them",
            "positions of two sequences need two tables: write it by f.rope",
        )
    shared = 1 if kv_heads is None else heads // groups
    y = f.dot_product_attention(q, k, v, mask, heads_per_kv=shared, name="attended")
    y = f.flatten(y, start=-2, name="merged")
    out = x.features if features is None else features
    return f.linear("out", y, out, in_features=width, use_bias=use_bias)
