"""Attention beside Flax: masks, biases, grouped heads, and the layers with their maps."""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import Any, Literal, TypeAlias

import jax.numpy as jnp
import numpy as np
from flax import linen, nnx
from flax.nnx.nn.attention import dot_product_attention_weights
from parity.ops.tables.row import Numbers, Row, Rows

QUERIES, KEYS, HEADS, DIM = 4, 5, 4, 6
WIDTH, SOURCE, OUT, SIZE = 16, 7, 5, 4
"""Features of the layers, of another sequence, of the result, of a head."""
Mask: TypeAlias = Literal["none", "causal", "padding", "heads"]
MASKS: tuple[Mask, ...] = ("none", "causal", "padding", "heads")
KINDS: tuple[Mask, ...] = ("none", "heads")


def mask_of(kind: Mask, numbers: Numbers, lead: Any, queries: int, keys: int) -> Any:
    """(..., heads or 1, queries, keys); of all but the causal one some rows are empty."""
    if kind == "causal":
        return np.tril(np.ones((*lead, 1, queries, keys), bool))
    if kind == "padding":  # of the last sequence all is padding
        real = np.arange(keys) < numbers.ints(keys, *lead, 1) + 1
        real[-1:] = lead == () and real[-1:]
        return np.broadcast_to(
            real[..., None, None, :], (*lead, 1, queries, keys)
        ).copy()
    mask = numbers(*lead, HEADS, queries, keys) > 0
    mask[..., 1, 2, :] = False
    return mask


def by_flax(
    query: Any,
    key: Any,
    value: Any,
    mask: Any = None,
    bias: Any = None,
    is_causal: bool = False,
    **others: Any,
) -> Any:
    """The formula of NNX, which takes fewer heads of keys than of queries.

    Without dropout `nnx.dot_product_attention` is the function of JAX that ours is too.
    """
    weights = dot_product_attention_weights(query, key, bias, mask, is_causal=is_causal)
    heads = query.shape[-2] // value.shape[-2]
    return jnp.einsum("...hqk,...khd->...qhd", weights, jnp.repeat(value, heads, -2))


def by_linen(
    query: Any, key: Any, value: Any, mask: Any = None, bias: Any = None
) -> Any:
    return linen.dot_product_attention(query, key, value, bias, mask)


def attention() -> Rows:
    """`dot_product_attention` without dropout."""
    numbers = Numbers(90)
    forms = product([(), (2,), (2, 3)], [HEADS, 2, 1], MASKS, [False, True])
    for number, (lead, kv_heads, kind, biased) in enumerate(forms):
        arrays = {
            "query": numbers(*lead, QUERIES, HEADS, DIM),
            "key": numbers(*lead, KEYS, kv_heads, DIM),
            "value": numbers(*lead, KEYS, kv_heads, DIM if number % 3 else 3),
        }
        if kind != "none":
            arrays["mask"] = mask_of(kind, numbers, lead, QUERIES, KEYS)
        if biased:
            arrays["bias"] = numbers(*lead, HEADS, QUERIES, KEYS)
        chunk = None if number % 5 else 3
        given = {"heads_per_kv": HEADS // kv_heads, "query_chunk": chunk}
        reference = by_linen if kv_heads == HEADS and biased else by_flax
        yield Row("dot_product_attention", given, arrays, reference, "flax")


def near() -> Rows:
    """`causal` and `window` of the op, beside a mask that NumPy makes."""
    numbers = Numbers(92)
    forms = product([(), (2,)], [HEADS, 2], [True, False], [None, 2], KINDS)
    for number, (lead, kv_heads, causal, window, kind) in enumerate(forms):
        if not causal and window is None:
            continue
        arrays = {
            "query": numbers(*lead, QUERIES, HEADS, DIM),
            "key": numbers(*lead, KEYS, kv_heads, DIM),
            "value": numbers(*lead, KEYS, kv_heads, DIM),
        }
        if kind == "heads":
            arrays["mask"] = mask_of(kind, numbers, lead, QUERIES, KEYS)
        given = {
            "heads_per_kv": HEADS // kv_heads, "causal": causal, "window": window,
            "query_chunk": (None, 3)[number % 3 // 2],
        }  # fmt: skip
        yield Row("dot_product_attention", given, arrays, _of_band(given), "flax")


_ALL = np.ones((1, QUERIES, KEYS), bool)


def _of_band(given: Any) -> Any:
    behind = np.arange(QUERIES)[:, None] - np.arange(KEYS)
    band = np.ones_like(behind, bool)
    if given["window"] is not None:
        band &= np.abs(behind) < given["window"]

    def reference(query: Any, key: Any, value: Any, mask: Any = _ALL) -> Any:
        joined = jnp.broadcast_to(mask & band, (*np.shape(mask)[:-2], QUERIES, KEYS))
        return by_flax(query, key, value, joined, is_causal=given["causal"])

    return reference


def layers() -> Rows:
    """`nnx.MultiHeadAttention` and `linen.MultiHeadDotProductAttention`."""
    numbers = Numbers(91)
    forms = product([None, 2, 1], [False, True], MASKS, [False, True])
    for number, (kv_heads, cross, kind, norm) in enumerate(forms):
        use_bias = bool(number % 3)
        keys = KEYS if cross else QUERIES
        arrays = {"x": numbers(2, QUERIES, WIDTH)}
        if cross:
            arrays["context"] = numbers(2, KEYS, SOURCE)
        if kind != "none" and (cross or kind != "causal"):
            arrays["mask"] = mask_of(kind, numbers, (2,), QUERIES, keys)
        given: dict[str, Any] = {"heads": HEADS, "kv_heads": kv_heads, "features": OUT}
        given |= {"use_bias": use_bias, "qk_norm": "layer_norm" if norm else None}
        given["causal"] = kind == "causal" and not cross
        own = parameters(numbers, given, SOURCE if cross else WIDTH)
        old = kv_heads is None and not cross and not norm
        layer = of_linen(given) if old else of_nnx(given)
        yield Row("multi_head_attention", given, arrays | own, layer, "flax")


def parameters(numbers: Numbers, given: Any, source: int) -> dict[str, Any]:
    """Kernels and biases in our layout."""
    narrow = SIZE * (given["kv_heads"] or HEADS)
    shapes = {
        "query": (WIDTH, WIDTH),
        "key": (source, narrow),
        "value": (source, narrow),
    }
    own: dict[str, Any] = {}
    for name, shape in (shapes | {"out": (WIDTH, OUT)}).items():
        own[f"{name}.kernel"] = numbers(*shape) / shape[0] ** 0.5
        if given["use_bias"]:
            own[f"{name}.bias"] = numbers(shape[1])
    for name in ("query_norm", "key_norm") if given["qk_norm"] else ():
        own[f"{name}.scale"] = numbers(SIZE)
        own[f"{name}.bias"] = numbers(SIZE)
    return own


def in_flax(own: Any) -> dict[str, dict[str, Any]]:
    """The arrays by layer, with an axis for the heads."""
    found: dict[str, dict[str, Any]] = {}
    for path, x in own.items():
        layer, name = path.split(".")
        if layer in ("query", "key", "value"):
            x = jnp.reshape(x, (*x.shape[:-1], -1, SIZE))
        elif layer == "out" and name == "kernel":
            x = x.reshape(HEADS, SIZE, -1)
        elif layer.endswith("norm"):
            layer = layer.replace("norm", "ln")
        found.setdefault(layer, {})[name] = x
    return found


def of_nnx(given: Any) -> Any:
    def reference(x: Any, context: Any = None, mask: Any = None, **own: Any) -> Any:
        source = x if context is None else context
        module = nnx.MultiHeadAttention(
            HEADS, WIDTH, WIDTH, OUT, given["kv_heads"], source.shape[-1], dtype=x.dtype,
            param_dtype=x.dtype, use_bias=given["use_bias"], decode=False,
            attention_fn=by_flax,
            normalize_qk=given["qk_norm"] is not None, rngs=nnx.Rngs(0),
        )  # fmt: skip
        if given["qk_norm"]:  # its own norms have no bias
            norm = partial(nnx.LayerNorm, SIZE, dtype=x.dtype, rngs=nnx.Rngs(0))
            module.query_ln, module.key_ln = norm(), norm()
        for layer, arrays in in_flax(own).items():
            for name, array in arrays.items():
                setattr(getattr(module, layer), name, nnx.Param(array))
        return module(x, source, mask=mask, is_causal=given["causal"])

    return reference


def of_linen(given: Any) -> Any:
    def reference(x: Any, mask: Any = None, **own: Any) -> Any:
        module = linen.MultiHeadDotProductAttention(
            HEADS, x.dtype, x.dtype, WIDTH, OUT, use_bias=given["use_bias"],
            deterministic=True,
        )  # fmt: skip
        if given["causal"]:
            mask = linen.make_causal_mask(jnp.ones(x.shape[:-1]))
        return module.apply({"params": in_flax(own)}, x, mask=mask)

    return reference


TABLES = (attention, near, layers)
