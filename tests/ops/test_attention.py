"""Attention against its formula in float64, for every form of operands."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blox.ops.attention import dot_product_attention

Shape = tuple[int, ...]


def normal(seed: int, shape: Shape) -> Any:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def formula(
    query: Any, key: Any, value: Any, mask: Any, bias: Any, heads_per_kv: int
) -> Any:
    query, key, value = (np.asarray(a, np.float64) for a in (query, key, value))
    key, value = (np.repeat(a, heads_per_kv, axis=-2) for a in (key, value))
    scores = np.einsum("...qhd,...khd->...hqk", query, key) / query.shape[-1] ** 0.5
    scores = scores if bias is None else scores + np.asarray(bias, np.float64)
    scores = scores if mask is None else np.where(mask, scores, -1e30)
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    shares = powers / powers.sum(-1, keepdims=True)
    return np.einsum("...hqk,...khd->...qhd", shares, value)


FORMS: dict[str, tuple[Shape, Shape, Shape, Shape | None, Shape | None]] = {
    "no batch": ((3, 2, 4), (5, 2, 4), (5, 2, 4), None, None),
    "batch": ((2, 3, 2, 4), (2, 5, 2, 4), (2, 5, 2, 4), (2, 1, 3, 5), None),
    "groups": ((2, 3, 6, 4), (2, 5, 2, 4), (2, 5, 2, 4), (1, 3, 5), (6, 3, 5)),
    "one key for all": ((2, 3, 4, 4), (2, 5, 1, 4), (2, 5, 1, 4), None, (2, 4, 3, 5)),
    "mask of keys": ((2, 3, 2, 4), (2, 5, 2, 4), (2, 5, 2, 4), (2, 1, 1, 5), None),
    "mask of one batch": ((2, 3, 2, 4), (2, 5, 2, 4), (2, 5, 2, 4), (1, 2, 3, 5), None),
    "mask without heads": ((2, 3, 2, 4), (2, 5, 2, 4), (2, 5, 2, 4), (3, 5), (3, 5)),
    "other features": ((2, 3, 2, 4), (2, 5, 2, 4), (2, 5, 2, 7), (2, 1, 3, 5), None),
    "keys without batch": ((2, 3, 2, 4), (5, 2, 4), (5, 2, 4), None, None),
    "mask has the batch": ((3, 2, 4), (5, 2, 4), (5, 2, 4), (2, 1, 3, 5), None),
    "bias has the batch": (
        (1, 3, 2, 4),
        (1, 5, 2, 4),
        (1, 5, 2, 4),
        None,
        (2, 2, 3, 5),
    ),
    "two batches": ((2, 3, 4, 2, 4), (2, 3, 5, 1, 4), (2, 3, 5, 1, 4), (1, 4, 5), None),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_the_formula(form: str) -> None:
    query, key, value = (normal(i, s) for i, s in enumerate(FORMS[form][:3]))
    masked, biased = FORMS[form][3:]
    mask: Any = None if masked is None else normal(3, masked) > -1
    bias: Any = None if biased is None else normal(4, biased)
    heads_per_kv = query.shape[-2] // key.shape[-2]
    attend = partial(dot_product_attention, scale=None, heads_per_kv=heads_per_kv)

    def summed(query: Any) -> Any:
        y = attend(query, key, value, mask, bias)
        return y.sum(), y

    slope, found = jax.jit(jax.grad(summed, has_aux=True))(query)
    wanted = formula(query, key, value, mask, bias, heads_per_kv)
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, 2e-5, 2e-5)
    assert bool(jnp.isfinite(slope).all())


@pytest.mark.parametrize(
    ("form", "dtype"),
    [
        *((form, "bfloat16") for form in ("no batch", "groups", "two batches")),
        ("two batches", "float16"),
    ],
)
def test_narrow_floats_are_compiled_and_near_the_formula(form: str, dtype: str) -> None:
    arrays = (jnp.asarray(normal(i, s), dtype) for i, s in enumerate(FORMS[form][:3]))
    query, key, value = arrays
    heads_per_kv = query.shape[-2] // key.shape[-2]
    attend = partial(dot_product_attention, scale=None, heads_per_kv=heads_per_kv)

    def summed(query: Any) -> Any:
        y = attend(query, key, value)
        return y.sum(), y

    slope, found = jax.jit(jax.grad(summed, has_aux=True))(query)
    assert found.dtype == slope.dtype == dtype
    q, k, v = (np.asarray(a, np.float64) for a in (query, key, value))
    wanted = formula(q, k, v, None, None, heads_per_kv)
    step = {"bfloat16": 2.0**-7, "float16": 2.0**-10}[dtype]
    np.testing.assert_allclose(
        np.asarray(found, np.float64), wanted, 2 * step, 2 * step
    )
    assert bool(jnp.isfinite(slope).all())


def test_float16_is_what_jax_makes_of_it() -> None:
    """Its own function has no rule for that on CPU; a generated file is that call."""
    query = jnp.ones((2, 3, 4, 8), jnp.float16)
    attend = jax.jit(partial(dot_product_attention, scale=None, heads_per_kv=1))
    for call in (attend, jax.jit(jax.nn.dot_product_attention)):
        with pytest.raises(ValueError, match="not supported by dot_general on CPU"):
            call(query, query, query)


@pytest.mark.parametrize(
    ("rank", "dtype"), [*((n, "bfloat16") for n in (3, 4, 5)), (5, "float16")]
)
def test_scores_and_softmax_are_in_float32(rank: int, dtype: str) -> None:
    """2,000 keys of which the shares round to nothing in the sum of a narrow float."""
    lead = (1,) * (rank - 3)
    query = jnp.zeros((*lead, 1, 1, 8), dtype)
    key = jnp.asarray(normal(0, (*lead, 2000, 1, 8)), dtype)
    value = jnp.ones((*lead, 2000, 1, 8), dtype)
    attend = jax.jit(partial(dot_product_attention, scale=None, heads_per_kv=1))
    y = attend(query, key, value)
    assert y.dtype == dtype
    np.testing.assert_allclose(np.asarray(y, np.float32), 1, 5e-3)


@pytest.mark.skipif(
    any(find_spec(f"jax_cuda{n}_plugin") for n in (12, 13)), reason="has cuDNN"
)
def test_cudnn_is_not_to_be_had_elsewhere_even_for_another_platform() -> None:
    """So no op chooses it: docs/running.md says how one gets it."""
    attend = partial(jax.nn.dot_product_attention, implementation="cudnn")
    query = jax.ShapeDtypeStruct((2, 16, 4, 64), jnp.bfloat16)

    def chosen(query: Any) -> Any:
        return jax.lax.platform_dependent(
            query,
            cuda=lambda q: attend(q, q, q),
            default=lambda q: jax.nn.dot_product_attention(q, q, q),
        )

    for platform in ("cuda", "cpu"):
        with pytest.raises(RuntimeError, match="cuDNN is not detected"):
            jax.export.export(jax.jit(chosen), platforms=[platform])(query)


def test_dtypes_that_differ_give_that_of_the_values() -> None:
    query, key, value = (jnp.asarray(normal(i, (2, 3, 2, 4))) for i in range(3))
    attend = partial(dot_product_attention, scale=None, heads_per_kv=1)
    narrow = jnp.bfloat16
    y = jax.eval_shape(attend, query, key.astype(narrow), value.astype(narrow))
    assert y.dtype == narrow
    y = jax.eval_shape(attend, query.astype(narrow), key, value)
    assert y.dtype == jnp.float32


@pytest.mark.parametrize("rank", [3, 4, 5])
def test_a_query_that_may_attend_to_nothing_gets_the_mean(rank: int) -> None:
    lead = (2, 2)[: rank - 3]
    query, key, value = (normal(i, (*lead, 3, 2, 4)) for i in range(3))
    mask = np.ones((1, 3, 3), bool)
    mask[:, 1] = False
    attend = jax.jit(partial(dot_product_attention, scale=None, heads_per_kv=1))
    y = attend(query, key, value, mask)
    np.testing.assert_allclose(y[..., 1, :, :], value.mean(-3), 1e-5, 1e-6)


@pytest.mark.parametrize("form", FORMS)
def test_chunks_give_what_all_queries_at_once_give(form: str) -> None:
    query, key, value = (normal(i, s) for i, s in enumerate(FORMS[form][:3]))
    masked, biased = FORMS[form][3:]
    mask: Any = None if masked is None else normal(3, masked) > -1
    bias: Any = None if biased is None else normal(4, biased)
    heads_per_kv = query.shape[-2] // key.shape[-2]

    def summed(query: Any, key: Any, bias: Any, chunk: int | None) -> Any:
        y = dot_product_attention(
            query, key, value, mask, bias,
            scale=None, heads_per_kv=heads_per_kv, query_chunk=chunk,
        )  # fmt: skip
        return jnp.sum(jnp.sin(y)), y

    arguments = (0, 1) if bias is None else (0, 1, 2)
    both = jax.jit(jax.grad(summed, arguments, has_aux=True), static_argnums=3)
    found, wanted = (both(query, key, bias, chunk) for chunk in (2, None))
    for ours, whole in zip(*map(jax.tree.leaves, (found, wanted)), strict=True):
        assert ours.shape == whole.shape
        np.testing.assert_allclose(ours, whole, 2e-5, 2e-6)


NEAR: list[dict[str, Any]] = [
    {},
    {"causal": True},
    {"window": 2},
    {"causal": True, "window": 3},
]
"""Attributes that say which keys are near enough, in turn."""


@pytest.mark.parametrize(
    ("chunk", "near"),
    [
        *((chunk, NEAR[0]) for chunk in (1, 100)),
        pytest.param(4, NEAR[0], marks=pytest.mark.slow),
        (4, NEAR[3]),
        (None, NEAR[1]),
        *(
            pytest.param(chunk, near, marks=pytest.mark.slow)
            for chunk in (None, 1, 3)
            for near in NEAR[1:]
        ),
    ],
)
def test_any_number_of_queries_and_keys(
    chunk: int | None, near: dict[str, Any]
) -> None:
    """Symbolic sizes; query i and key i are at the same place, however many there are."""
    attend = partial(
        dot_product_attention, scale=None, heads_per_kv=2, query_chunk=chunk, **near
    )
    n, m = jax.export.symbolic_shape("n, m")
    kinds = [
        jax.ShapeDtypeStruct(shape, dtype)
        for shape, dtype in (
            ((2, n, 4, 3), jnp.float32),
            ((2, m, 2, 3), jnp.float32),
            ((2, m, 2, 3), jnp.float32),
            ((1, n, m), jnp.bool_),
        )
    ]
    exported = jax.export.export(jax.jit(attend))(*kinds)
    assert exported.out_avals[0].shape == (2, n, 4, 3)
    key, value = normal(1, (2, 6, 2, 3)), normal(2, (2, 6, 2, 3))
    for queries in (1, 4, 7):
        query, mask = normal(0, (2, queries, 4, 3)), normal(3, (1, queries, 6)) > -1
        found = exported.call(query, key, value, mask)
        behind = np.arange(queries)[:, None] - np.arange(6)
        if near.get("causal"):
            mask = mask & (behind >= 0)
        if "window" in near:
            mask = mask & (np.abs(behind) < near["window"])
        wanted = formula(query, key, value, mask, None, 2)
        np.testing.assert_allclose(found, wanted, 2e-5, 2e-5)


@pytest.mark.parametrize("differentiated", [False, True])
def test_scores_of_8192_positions_are_never_there_at_once(differentiated: bool) -> None:
    """2 GiB they would be, of 8 heads."""
    time, heads = 8192, 8
    array = jax.ShapeDtypeStruct((1, time, heads, 16), jnp.float32)
    mask = jax.ShapeDtypeStruct((1, time, time), jnp.bool_)
    scores = 4 * heads * time**2

    def temporary(chunk: int | None) -> int:
        def total(query: Any, key: Any, value: Any, mask: Any) -> Any:
            return dot_product_attention(
                query, key, value, mask,
                scale=None, heads_per_kv=1, softcap=30.0, query_chunk=chunk,
            ).sum()  # fmt: skip

        call = jax.grad(total, (0, 1, 2)) if differentiated else total
        compiled = jax.jit(call).lower(array, array, array, mask).compile()
        found: Any = compiled.memory_analysis()
        return int(found.temp_size_in_bytes)

    assert temporary(None) >= scores
    assert temporary(256) < scores / 5
