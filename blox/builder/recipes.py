"""Recipes: functions of small ops for what needs many flags elsewhere.

A recipe gives a spec function, to be called like one's own:

    attention = bx.recipes.multi_head_attention(heads="$heads")
    x = f.call("attn", attention, x)

Sizes are numbers or expressions over attributes of the graph. Where two variants stand
in one Graph, give them names: `name="cross_attention"`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, TypeAlias

from blox.schema.fields import is_expression

if TYPE_CHECKING:
    from .function import FunctionBuilder
    from .values import Value

Function: TypeAlias = "Callable[..., Value]"
"""A spec function with one output."""
Activation = Literal["gelu", "gelu_tanh", "relu", "silu", "sigmoid", "tanh"]
"""`gelu` is the exact one, `gelu_tanh` its approximation."""
Norm = Literal["layer_norm", "rms_norm"]
Size = int | str


def mlp(
    *,
    hidden: Size,
    features: Size | None = None,
    activation: Activation = "gelu",
    use_bias: bool = True,
    name: str = "mlp",
) -> Function:
    """`down(act(up(x)))`: (..., features in) -> (..., features).

    Args:
        hidden: the features between the two maps, such as `"$4 * width"`.
        features: those of the result, by default those of x.
        activation: what stands between them.
        use_bias: both maps have one.
        name: the name of the function.
    """

    def function(f: FunctionBuilder, x: Value) -> Value:
        size = x.features if features is None else features
        h = f.linear("up", x, out_features=hidden, use_bias=use_bias)
        h = _activated(f, activation, h)
        return f.linear("down", h, out_features=size, use_bias=use_bias)

    return _named(function, name)


def gated_mlp(
    *,
    hidden: Size,
    features: Size | None = None,
    activation: Activation = "silu",
    use_bias: bool = False,
    name: str = "mlp",
) -> Function:
    """`down(act(gate(x)) * up(x))`: SwiGLU with `silu`, GEGLU with `gelu`.

    (..., features in) -> (..., features). Shazeer, arXiv:2002.05202. Arguments as in
    `mlp`.
    """

    def function(f: FunctionBuilder, x: Value) -> Value:
        size = x.features if features is None else features
        gate = f.linear("gate", x, out_features=hidden, use_bias=use_bias)
        gate = _activated(f, activation, gate)
        up = f.linear("up", x, out_features=hidden, use_bias=use_bias)
        h = f.multiply("gated", gate, up)
        return f.linear("down", h, out_features=size, use_bias=use_bias)

    return _named(function, name)


def multi_head_attention(
    *,
    heads: Size,
    kv_heads: Size | None = None,
    head_dim: Size | None = None,
    features: Size | None = None,
    cross: bool = False,
    rope: Literal["half_split", "interleaved"] | None = None,
    use_bias: bool = True,
    name: str = "attention",
) -> Function:
    """Scaled dot-product attention: (..., time, features in) -> (..., time, features).

    The function's inputs are `x`; with `cross`, `context`, what keys and values are
    made of; with `rope`, `cos` and `sin` of a `rope_table` of dim `head_dim`; and last
    `mask` (..., heads or 1, time, keys), True where a query may attend, which may be
    left out.

    Args:
        heads: of the queries.
        kv_heads: of keys and values, each serving heads / kv_heads heads (GQA,
            arXiv:2305.13245); by default as many as heads.
        head_dim: features of one head, by default those of x over heads.
        features: those of the result, by default those of x.
        cross: attend to another sequence.
        rope: turn queries and keys by rotary positions, in this layout.
        use_bias: all four maps have one.
        name: the name of the function.

    Raises:
        ValueError: both `cross` and `rope`, whose positions would be of two sequences.
    """
    if cross and rope is not None:
        raise ValueError("expected cross or rope, found both")
    groups = heads if kv_heads is None else kv_heads

    def attend(
        f: FunctionBuilder,
        x: Value,
        context: Value,
        angles: tuple[Value, Value] | None,
        mask: Value | None,
    ) -> Value:
        own = x.features
        dim = _ratio(own, heads) if head_dim is None else head_dim
        width = own if head_dim is None else _product(heads, dim)
        narrow = width if kv_heads is None else _product(groups, dim)
        q = f.linear("query", x, out_features=width, use_bias=use_bias)
        q = f.reshape("q", q, shape=["...", heads, dim])
        if angles is not None and rope is not None:
            q = f.rope("q_rope", q, *angles, layout=rope)
        k = f.linear("key", context, out_features=narrow, use_bias=use_bias)
        k = f.reshape("k", k, shape=["...", groups, dim])
        if angles is not None and rope is not None:
            k = f.rope("k_rope", k, *angles, layout=rope)
        v = f.linear("value", context, out_features=narrow, use_bias=use_bias)
        v = f.reshape("v", v, shape=["...", groups, dim])
        shared = 1 if kv_heads is None else _ratio(heads, groups)
        y = f.dot_product_attention("attend", q, k, v, mask, heads_per_kv=shared)
        y = f.flatten("merge", y, start=-2)
        return f.linear(
            "out",
            y,
            in_features=width,
            out_features=own if features is None else features,
            use_bias=use_bias,
        )

    def self_attention(
        f: FunctionBuilder, x: Value, mask: Value | None = None
    ) -> Value:
        return attend(f, x, x, None, mask)

    def rotary_attention(
        f: FunctionBuilder,
        x: Value,
        cos: Value,
        sin: Value,
        mask: Value | None = None,
    ) -> Value:
        return attend(f, x, x, (cos, sin), mask)

    def cross_attention(
        f: FunctionBuilder, x: Value, context: Value, mask: Value | None = None
    ) -> Value:
        return attend(f, x, context, None, mask)

    if cross:
        return _named(cross_attention, name)
    return _named(self_attention if rope is None else rotary_attention, name)


def transformer_block(
    *,
    attention: Function,
    mlp: Function,
    norm: Norm = "layer_norm",
    eps: float = 1e-5,
    order: Literal["pre", "post"] = "pre",
    name: str = "block",
) -> Function:
    """Attention and an MLP, each with a residual and a norm: features stay.

    `pre`: `x + attention(norm(x))`, then `x + mlp(norm(x))`; `post`: the norms follow
    the sums, as in Vaswani et al., arXiv:1706.03762. The inputs are those of
    `attention`, whose first is x.

    Args:
        attention: a spec function, such as `multi_head_attention` gives.
        mlp: a spec function of x.
        norm: which one.
        eps: of the norms.
        order: where they stand.
        name: the name of the function.
    """

    def normed(f: FunctionBuilder, node: str, x: Value) -> Value:
        if norm == "rms_norm":
            return f.rms_norm(node, x, eps=eps)
        return f.layer_norm(node, x, eps=eps)

    def function(f: FunctionBuilder, x: Value, *others: Value) -> Value:
        if order == "pre":
            h = f.call("attn", attention, normed(f, "ln_1", x), *others)
            x = f.add("mid", x, h)
            h = f.call("mlp", mlp, normed(f, "ln_2", x))
            return f.add("out", x, h)
        h = f.call("attn", attention, x, *others)
        x = normed(f, "ln_1", f.add("mid", x, h))
        h = f.call("mlp", mlp, x)
        return normed(f, "ln_2", f.add("out", x, h))

    # Its inputs are those of the attention that it is made with.
    function.__signature__ = inspect.signature(attention)  # type: ignore[attr-defined]
    return _named(function, name)


def _named(function: Function, name: str) -> Function:
    function.__name__ = function.__qualname__ = name
    return function


def _activated(f: FunctionBuilder, activation: Activation, x: Value) -> Value:
    match activation:
        case "gelu" | "gelu_tanh":
            return f.gelu("act", x, approximate=activation == "gelu_tanh")
        case "relu":
            return f.relu("act", x)
        case "silu":
            return f.silu("act", x)
        case "sigmoid":
            return f.sigmoid("act", x)
        case "tanh":
            return f.tanh("act", x)


def _ratio(a: Size, b: Size) -> Size:
    if isinstance(a, int) and isinstance(b, int):
        return a // b
    return f"${_part(a)} // {_part(b)}"


def _product(a: Size, b: Size) -> Size:
    if isinstance(a, int) and isinstance(b, int):
        return a * b
    return f"${_part(a)} * {_part(b)}"


def _part(size: Size) -> str:
    """A size as a part of an expression."""
    text = str(size)[1:].strip() if is_expression(size) else str(size)
    return text if text.isidentifier() or text.isdigit() else f"({text})"
