"""Attention: masks, and the weighted mean of values. True in a mask: may attend."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

from ..deferred import Op
from ..fields import Float, OptionalTensor, Size, Tensor
from ..problems import Problem


class AttentionMask(Op):
    """True where the query at one position may attend to the key at another.

    query_positions (..., q), key_positions (..., k), integer; padding (..., k), not 0
    where the key is a real token; query_segments (..., q), key_segments (..., k), of
    documents packed into one row -> (..., 1, q, k) bool, the axis of size 1 being for
    the heads. Absent operands allow everything.

    `causal`: only keys at or before the query. `window`: only keys less than so many
    positions away. Masks are joined by `logical_and`.
    """

    ALSO: ClassVar[tuple[str, ...]] = (
        "causal_mask",
        "make_causal_mask",
        "make_attention_mask",
    )

    op: Literal["attention_mask"] = "attention_mask"
    query_positions: Tensor
    key_positions: Tensor
    padding: OptionalTensor = None
    query_segments: OptionalTensor = None
    key_segments: OptionalTensor = None
    causal: bool = False
    window: Size | None = None

    def problems(self) -> Iterator[Problem]:
        if (self.query_segments is None) != (self.key_segments is None):
            lacking = "query" if self.query_segments is None else "key"
            message = "expected segments of queries and of keys, found one of them"
            yield Problem(f"{lacking}_segments", message)


class PaddingMask(Op):
    """True where the key is a real token, its `padding` not being 0.

    padding (..., k) -> (..., 1, 1, k) bool: the same for all heads and queries.
    """

    op: Literal["padding_mask"] = "padding_mask"
    padding: Tensor


class DotProductAttention(Op):
    """`softmax(query @ key.T * scale + bias) @ value` over the keys that may be attended to.

    query (..., q, heads, head_dim), key (..., k, kv_heads, head_dim), value (..., k,
    kv_heads, value_dim) -> (..., q, heads, value_dim). Each of the kv_heads serves
    `heads_per_kv` adjacent heads (grouped and multi-query attention,
    arXiv:2305.13245). mask bool and bias float: (..., heads or 1, q, k).

    Of the keys that `mask` allows, `causal` leaves those at or before the query, and
    `window` those less than so many positions away. Positions count from 0 in queries and in
    keys, however many there are: query i and key i are at the same place, as in
    `jax.nn.dot_product_attention` and PyTorch. For others there is `attention_mask`.

    With `softcap` the scaled scores are `softcap * tanh(scores / softcap)`, before bias
    and mask (Gemma 2, arXiv:2408.00118). `sinks` (..., heads) float is a score of each head
    beside those of the keys, for a weight that goes to no value (arXiv:2309.17453).

    With a `query_chunk` at most so many queries are attended at once, in a loop, and their
    scores are computed anew for the gradient: the memory of scores is then that of chunk
    times keys. The numbers are the same, but for rounding.

    Of query, key and value with the same dtype, features and at most one batch axis, and
    without `window` and these three, it is `jax.nn.dot_product_attention`, which JAX compiles
    for float16 on GPUs alone; else the same formula over any batch axes.
    Scores and softmax are in float32, the result has the dtype of value. A `scale` of
    null is head_dim ** -0.5. A query that may attend to nothing gets the plain mean of
    all values, or 0 with sinks: finite, and to be ignored. Vaswani et al.,
    arXiv:1706.03762.
    """

    ALSO: ClassVar[tuple[str, ...]] = ("scaled_dot_product_attention",)
    COUNTED: ClassVar[Mapping[str, Any]] = {"query_chunk": None}

    op: Literal["dot_product_attention"] = "dot_product_attention"
    query: Tensor
    key: Tensor
    value: Tensor
    mask: OptionalTensor = None
    bias: OptionalTensor = None
    sinks: OptionalTensor = None
    scale: Float | None = None
    heads_per_kv: Size = 1
    softcap: Float | None = None
    query_chunk: Size | None = None
    causal: bool = False
    window: Size | None = None

    def problems(self) -> Iterator[Problem]:
        if isinstance(self.softcap, (int, float)) and self.softcap <= 0:
            yield Problem.expected("softcap", "a number above 0", self.softcap)
        for name in ("query_chunk", "window"):
            value = getattr(self, name)
            if isinstance(value, int) and value < 1:
                yield Problem.expected(name, "at least 1", value)
