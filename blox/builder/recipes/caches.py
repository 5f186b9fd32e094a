"""Attention to what came before, whose keys and values are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .attention import Rope, check_table, heads_of, merged, projected, turned
from .parts import Norm

if TYPE_CHECKING:
    from ..function import FunctionBuilder
    from ..values import Value


def cached_attention(
    f: FunctionBuilder,
    x: Value,
    k: Value,
    v: Value,
    position: Value | int,
    cos: Value | None = None,
    sin: Value | None = None,
    *,
    heads: int,
    kv_heads: int | None = None,
    head_dim: int | None = None,
    rope: Rope = "half_split",
    window: int | None = None,
    qk_norm: Norm | None = None,
    eps: float = 1e-6,
    scale: float | None = None,
    softcap: float | None = None,
    use_bias: bool = True,
    out_bias: bool | None = None,
) -> dict[str, Value]:
    """Causal `multi_head_attention` to all positions so far, in steps: (..., time, features)
    -> the same, and the next caches.

    Its parameters are those of `multi_head_attention`, so that one set of them is trained
    on whole sequences and decodes by steps. A cache for each layer is an input with
    `copies`, of which `bx.slices` gives a layer its own:

        bx.Input(["batch", "cached", heads, size], copies=b.depth)

    `b.constraint("seq <= cached")` says that a step fits into it.

    Args:
        f: writes it.
        x: (..., time, features), at the positions from `position` on.
        k: (..., cached, kv_heads, head_dim), the keys so far; zeros at the start.
        v: the values so far, as `k`.
        position: how many positions there are in the caches.
        cos: (time, head_dim / 2), of a `rope_table` at the positions of x; as `sin`.
        sin: see `cos`.
        heads: as all that follow, those of `multi_head_attention`.
        kv_heads: see `heads`.
        head_dim: see `heads`.
        rope: see `heads`.
        window: see `heads`.
        qk_norm: see `heads`.
        eps: see `heads`.
        scale: see `heads`.
        softcap: see `heads`.
        use_bias: see `heads`.
        out_bias: see `heads`.

    Returns:
        `x` (..., time, features), and the next `k` and `v`.

    Raises:
        SpecError: sizes that do not fit; one of `cos` and `sin`.
    """
    sizes = heads_of(x, heads, kv_heads, head_dim, window)
    check_table(x, None, cos, sin)
    q, k_now, v_now = projected(f, x, x, sizes, use_bias, "_now")
    q, k_now = turned(f, q, k_now, cos, sin, rope, qk_norm, eps)
    k = f.dynamic_update_slice(k, k_now, [position], axis=[-3], name="k_new")
    v = f.dynamic_update_slice(v, v_now, [position], axis=[-3], name="v_new")
    at = f.add(position, f.arange(x.shape[-2]), name="positions")
    places = f.arange(k.shape[-3], name="places")
    near = f.attention_mask(at, places, causal=True, window=window, name="near")
    y = f.dot_product_attention(
        q, k, v, near, None, None, scale, softcap, heads_per_kv=sizes.shared,
        name="attended",
    )  # fmt: skip
    y = merged(f, y, x.features, sizes, use_bias if out_bias is None else out_bias)
    return {"x": y, "k": k, "v": v}
