"""Recipes: functions of small ops for what needs many flags elsewhere.

They are called as one's own are:

    x = f.call("attn", bx.recipes.multi_head_attention)(x, mask=mask, heads=b.heads)

Calls that write other nodes are functions of their own in the Graph.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from .recurrent_recipes import gru as gru
from .recurrent_recipes import lstm as lstm
from .recurrent_recipes import simple_rnn as simple_rnn

if TYPE_CHECKING:
    from .function import FunctionBuilder
    from .values import Value

Activation = Literal["gelu", "gelu_tanh", "relu", "silu", "sigmoid", "tanh"]
"""`gelu` is the exact one, `gelu_tanh` its approximation."""
Norm = Literal["layer_norm", "rms_norm"]
Rope = Literal["half_split", "interleaved"]


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
    h = _activated(f, activation, h)
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
    gate = _activated(f, activation, gate)
    up = f.linear("up", x, hidden, use_bias=use_bias)
    size = x.features if features is None else features
    return f.linear("down", gate * up, size, use_bias=use_bias)


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


def squeeze_excitation(
    f: FunctionBuilder,
    x: Value,
    *,
    hidden: int,
    spatial_axes: int = 2,
    activation: Activation = "relu",
) -> Value:
    """`x * sigmoid(up(act(down(mean(x)))))`: each feature weighted by what all are.

    (..., spatial..., features) -> (..., spatial..., features). Hu et al.,
    arXiv:1709.01507.

    Args:
        f: writes it.
        x: (..., spatial..., features), of which the mean over space is taken.
        hidden: the features between the two maps, such as `x.features // 16`.
        spatial_axes: how many axes before the last are of space.
        activation: what stands between the maps.
    """
    y = f.mean(x, axis=list(range(-1 - spatial_axes, -1)), keepdims=True)
    y = _activated(f, activation, f.linear("down", y, hidden))
    return x * f.sigmoid(f.linear("up", y, x.features))


def patch_embedding(
    f: FunctionBuilder,
    x: Value,
    *,
    patch: int,
    features: int,
    use_bias: bool = True,
) -> Value:
    """A linear map of every patch, row by row, as vision transformers begin.

    (..., height, width, channels) -> (..., height // patch * (width // patch),
    features). Dosovitskiy et al., arXiv:2010.11929.

    Args:
        f: writes it.
        x: (..., height, width, channels); what doesn't fill a patch is left out.
        patch: the size of a patch, both ways.
        features: those of the result.
        use_bias: of the map, a convolution `proj`.
    """
    y = f.conv(
        "proj",
        x,
        features,
        [patch, patch],
        strides=patch,
        padding="VALID",
        use_bias=use_bias,
    )
    return f.flatten(y, start=-3, stop=-1)


def _activated(f: FunctionBuilder, activation: Activation, x: Value) -> Value:
    match activation:
        case "gelu" | "gelu_tanh":
            return f.gelu(x, approximate=activation == "gelu_tanh")
        case "relu":
            return f.relu(x)
        case "silu":
            return f.silu(x)
        case "sigmoid":
            return f.sigmoid(x)
        case "tanh":
            return f.tanh(x)
