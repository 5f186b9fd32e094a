"""The promises of single ops beyond the contract of all."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P
from sample_specs import spec

import blox as bx
from blox.ops.activations import softmax
from blox.ops.attention import attention_mask, dot_product_attention
from blox.ops.conv import conv
from blox.ops.norm import batch_norm, layer_norm, rms_norm
from blox.ops.pooling import avg_pool
from blox.ops.position import rope, rope_table
from blox.ops.random import dropout
from blox.ops.shape import reshape
from blox.schema import Graph


def normal(seed: int, *shape: int) -> jax.Array:
    random = np.random.default_rng(seed)
    return jnp.asarray(random.normal(size=shape).astype(np.float32))


def test_batch_norm_over_devices_is_that_of_the_whole_batch(
    devices: list[Any],
) -> None:
    """Means differ from device to device: an average of local variances is wrong."""
    x = normal(0, 16, 3, 4) + jnp.arange(16.0)[:, None, None]
    leaves: dict[str, Any] = {"mean": jnp.zeros(4), "var": jnp.ones(4)}
    norm = partial(batch_norm, momentum=0.9, eps=1e-5, unbiased=True, train=True)
    wanted = norm(x, **leaves)

    def local(x: jax.Array) -> Any:
        return norm(x, **leaves, axis_name="data")

    mesh = jax.sharding.Mesh(np.array(devices), ("data",))
    mapped = jax.shard_map(
        local, mesh=mesh, in_specs=P("data"), out_specs=(P("data"), P())
    )
    for found, exact in zip(
        jax.tree.leaves(jax.jit(mapped)(x)), jax.tree.leaves(wanted), strict=True
    ):
        np.testing.assert_allclose(found, exact, 1e-5, 1e-5)
    lanes = jax.vmap(local, axis_name="data")(x.reshape(8, 2, 3, 4))
    np.testing.assert_allclose(lanes[0].reshape(x.shape), wanted[0], 1e-5, 1e-5)


def test_batch_norm_momentum_weighs_the_old_statistic() -> None:
    x = jnp.array([[1.0], [3.0]])
    leaves: dict[str, Any] = {"mean": jnp.array([10.0]), "var": jnp.array([5.0])}
    norm = partial(batch_norm, momentum=0.9, eps=0.0, train=True)
    _, state = norm(x, **leaves, unbiased=False)
    np.testing.assert_allclose(state["mean"], [0.9 * 10 + 0.1 * 2], 1e-6)
    np.testing.assert_allclose(state["var"], [0.9 * 5 + 0.1 * 1], 1e-6)
    _, state = norm(x, **leaves, unbiased=True)
    np.testing.assert_allclose(state["var"], [0.9 * 5 + 0.1 * 2], 1e-6)
    y, state = batch_norm(
        x, **leaves, momentum=0.9, eps=0.0, unbiased=False, train=False
    )
    assert state == {}
    np.testing.assert_allclose(y, (x - 10) / 5**0.5, 1e-6)


def test_norms_keep_float64() -> None:
    with jax.enable_x64(True):
        x = normal(0, 3, 8).astype(jnp.float64) + 1e6
        y = layer_norm(x, features=None, eps=0.0)
        exact = (x - x.mean(-1, keepdims=True)) / x.std(-1, keepdims=True)
        assert y.dtype == jnp.float64
        np.testing.assert_allclose(y, exact, 1e-9)
        powers = np.exp(np.asarray(x) - np.max(x, -1, keepdims=True))
        shares = powers / powers.sum(-1, keepdims=True)
        np.testing.assert_allclose(softmax(x, axis=-1), shares, 1e-12)


def test_norms_are_two_pass() -> None:
    """Flax's fast variance is off by 1000 here; ours by the rounding of the mean."""
    x = normal(0, 64, 256) * 0.1 + 1e4
    exact = np.asarray(x, np.float64)
    exact = exact - exact.mean(-1, keepdims=True)
    exact = exact / exact.std(-1, keepdims=True)
    np.testing.assert_allclose(layer_norm(x, features=None, eps=0.0), exact, 0, 0.02)


@pytest.mark.parametrize("norm", [layer_norm, rms_norm])
def test_norms_under_transformations(norm: Callable[..., jax.Array]) -> None:
    """The barrier in them has rules for vmap, grad, checkpoint and scan."""
    function = jax.jit(partial(norm, scale=jnp.ones(8), features=8, eps=1e-5))
    x = normal(0, 3, 5, 8)
    np.testing.assert_allclose(jax.vmap(function)(x), function(x), 1e-6, 1e-6)

    def loss(x: jax.Array) -> jax.Array:
        return jnp.sum(jnp.sin(function(x)))

    gradient = jax.jit(jax.grad(loss))(x)
    again = jax.jit(jax.grad(jax.checkpoint(loss)))(x)
    np.testing.assert_allclose(gradient, again, 1e-6, 1e-6)
    step = 1e-2 * normal(1, 3, 5, 8)
    slope = (loss(x + step) - loss(x - step)) / 2
    np.testing.assert_allclose(jnp.vdot(gradient, step), slope, 2e-2)
    _, scanned = jax.lax.scan(lambda c, x: (c, function(x)), 0, x)
    np.testing.assert_allclose(scanned, function(x), 1e-6, 1e-6)


def test_mask_of_causal_windows_segments_and_padding() -> None:
    positions = jnp.arange(6)
    segments = np.array([[0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 1]])
    padding = np.array([[1, 1, 1, 1, 1, 0], [0, 1, 1, 1, 1, 1]])
    joined = jax.jit(partial(attention_mask, causal=True, window=2))
    mask = joined(positions, positions, padding, segments, segments)
    assert mask.shape == (2, 1, 6, 6)
    found = np.asarray(mask)
    for b, _, q, k in np.ndindex(2, 1, 6, 6):
        wanted = 0 <= q - k < 2 and segments[b, q] == segments[b, k] and padding[b, k]
        assert found[b, 0, q, k] == bool(wanted)
    both = attention_mask(positions, positions, causal=False, window=2)
    near = np.abs(np.subtract.outer(np.arange(6), np.arange(6))) < 2
    np.testing.assert_array_equal(both[0], near)


def test_row_without_a_key_is_finite() -> None:
    query, key, value = normal(0, 3, 2, 4), normal(1, 5, 2, 4), normal(2, 5, 2, 4)
    mask = np.ones((1, 3, 5), bool)
    mask[:, 1] = False

    @jax.jit
    def attend(query: jax.Array, mask: jax.Array | None) -> jax.Array:
        return dot_product_attention(
            query, key, value, mask, scale=None, heads_per_kv=1
        )

    y = attend(query, mask)
    np.testing.assert_allclose(y[1], value.mean(0), 1e-5, 1e-6)
    np.testing.assert_allclose(y[0], attend(query, None)[0], 1e-6)
    gradient = jax.jit(jax.grad(lambda q: attend(q, mask).sum()))(query)
    assert bool(jnp.isfinite(gradient).all())


def test_attention_as_jax_nn() -> None:
    query, key, value = (normal(i, 2, 5, heads, 4) for i, heads in enumerate((6, 3, 3)))
    bias, mask = normal(3, 2, 6, 5, 5), normal(4, 2, 1, 5, 5) > -1
    ours = jax.jit(partial(dot_product_attention, scale=0.7, heads_per_kv=2))
    theirs = jax.jit(partial(jax.nn.dot_product_attention, scale=0.7))
    found = ours(query, key, value, mask, bias)
    wanted = theirs(query, key, value, bias, mask)
    np.testing.assert_allclose(found, wanted, 1e-5, 1e-5)


@pytest.mark.parametrize("layout", ["half_split", "interleaved"])
def test_rope_sees_only_distances(layout: str) -> None:
    query, key = normal(0, 1, 1, 8), normal(1, 1, 1, 8)

    @jax.jit
    def score(at: int, other: int) -> jax.Array:
        table = partial(rope_table, dim=8, theta=100.0, scaling="linear", factor=4.0)
        a = rope(query, *table(jnp.array([at])), layout=layout)
        b = rope(key, *table(jnp.array([other])), layout=layout)
        return jnp.vdot(a, b)

    np.testing.assert_allclose(score(3, 1), score(12, 10), 1e-4)
    assert abs(score(3, 1) - score(3, 2)) > 1e-3


def test_rope_scaling_divides_positions() -> None:
    plain = rope_table(jnp.array([2.5]), dim=4, theta=10.0)
    table = partial(rope_table, dim=4, theta=10.0, scaling="linear", factor=4.0)
    np.testing.assert_allclose(plain, table(jnp.array([10])), 1e-6)


def test_dropout_without_key_or_rate_is_the_identity() -> None:
    x, key = jnp.ones((3, 4)), jax.random.key(0)
    assert dropout(x, None, rate=0.3) is x
    assert dropout(x, key, rate=0.0) is x


@pytest.mark.parametrize("shared", [(), (1,), (0, -1)])
def test_dropout_draws_each_decision_by_its_rate(shared: tuple[int, ...]) -> None:
    """Counts of dropped elements, and of dropped pairs, are those of independent draws."""
    x = normal(0, 64, 1000, 8)
    one = tuple(slice(1 if i in shared or i - 3 in shared else None) for i in range(3))
    for seed, rate in enumerate((0.1, 0.5, 0.9)):
        key = jax.random.key(seed)
        y = np.asarray(dropout(jnp.asarray(x), key, rate=rate, broadcast_dims=shared))
        np.testing.assert_allclose(y, np.where(y == 0, 0, x / (1 - rate)), 1e-6)
        dropped = y == 0
        drawn = dropped[one]
        assert (dropped == drawn).all()
        assert_binomial(drawn, rate)
        for axis in np.flatnonzero(np.array(drawn.shape) > 1):
            rows = np.moveaxis(drawn, axis, 0)
            assert_binomial(rows[::2] & rows[1::2], rate**2)


def assert_binomial(drawn: np.ndarray[Any, Any], p: float) -> None:
    """So many are true as of independent draws of probability p, within 5 deviations."""
    deviation = np.sqrt(drawn.size * p * (1 - p))
    assert abs(drawn.sum() - drawn.size * p) <= 5 * deviation


def test_conv_promotes_and_takes_any_batch_dims() -> None:
    x, kernel = normal(0, 2, 3, 9, 4), normal(1, 3, 4, 6).astype(jnp.bfloat16)
    same = jax.jit(partial(conv, strides=1, padding="SAME"))
    y = same(x, kernel)
    assert y.dtype == jnp.float32
    assert y.shape == (2, 3, 9, 6)
    np.testing.assert_allclose(same(x[0, 0], kernel), y[0, 0], 1e-5, 1e-5)
    assert same(x[:0], kernel).shape == (0, 3, 9, 6)


def test_transposed_convolution_starts_with_variance_one() -> None:
    """The fan in is what one output is made of, of one group, as in `conv`."""
    size = {"in_features": 64, "out_features": 32, "groups": 2, "kernel_size": [3, 3]}
    node = {"op": "conv_transpose", "x": "x", **size}
    inputs = {"x": {"shape": [5, 5, 64], "dtype": "float"}}
    graph = Graph.parse(spec({"up": node}, {"y": "up"}, inputs))
    kernel = bx.init(graph, jax.random.key(0))["up"]["kernel"]
    assert kernel.shape == (3, 3, 32, 32)
    np.testing.assert_allclose(kernel.var() * 3 * 3 * 32, 1, 0.05)


def test_average_without_padding_counts_what_is_there() -> None:
    y = avg_pool(
        jnp.ones((4, 1)),
        window=(3,),
        strides=1,
        padding="SAME",
        ceil_mode=False,
        count_include_pad=False,
    )
    np.testing.assert_array_equal(y, np.ones((4, 1)))


def test_reshape_keeps_axes_of_size_one() -> None:
    """A decode step of one token, and one head: sizes alone could not tell them."""
    x = jnp.zeros((2, 1, 64))
    assert reshape(x, shape=("...", 1, 64)).shape == (2, 1, 1, 64)
    assert reshape(x, shape=("...", 4, 16)).shape == (2, 1, 4, 16)
