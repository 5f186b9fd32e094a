"""Each layer of Equinox as the op that it is, values and gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import blox as bx

pytestmark = pytest.mark.parity
nn = eqx.nn
KEY = jax.random.key(3)

VECTORS: dict[str, tuple[str, Callable[[], Any]]] = {
    "linear": ("linear", lambda: nn.Linear(6, 5, key=KEY)),
    "linear without bias": ("linear", lambda: nn.Linear(6, 5, False, key=KEY)),
    "layer_norm": ("layer_norm", lambda: nn.LayerNorm(6, eps=1e-3)),
    "layer_norm plain": (
        "layer_norm",
        lambda: nn.LayerNorm(6, use_weight=False, use_bias=False),
    ),
    "layer_norm without bias": ("layer_norm", lambda: nn.LayerNorm(6, use_bias=False)),
    "rms_norm": ("rms_norm", lambda: nn.RMSNorm(6)),
    "rms_norm with bias": ("rms_norm", lambda: nn.RMSNorm(6, use_bias=True)),
    "prelu": ("prelu", lambda: nn.PReLU(0.3)),
    "dropout": ("dropout", lambda: nn.Dropout(0.3, inference=True)),
}
IMAGES: dict[str, tuple[str, Callable[[], Any]]] = {
    "conv": ("conv", lambda: nn.Conv2d(4, 6, 3, key=KEY)),
    "conv of strides": ("conv", lambda: nn.Conv2d(4, 6, 3, 2, 1, key=KEY)),
    "conv of groups": ("conv", lambda: nn.Conv2d(4, 6, 2, groups=2, key=KEY)),
    "conv dilated": (
        "conv",
        lambda: nn.Conv2d(4, 6, 3, dilation=2, padding="SAME", key=KEY),
    ),
    "conv circular": (
        "conv",
        lambda: nn.Conv2d(4, 6, 3, padding=1, padding_mode="CIRCULAR", key=KEY),
    ),
    "conv reflecting": (
        "conv",
        lambda: nn.Conv2d(4, 6, 3, padding=1, padding_mode="REFLECT", key=KEY),
    ),
    "conv without bias": ("conv", lambda: nn.Conv2d(4, 6, 3, use_bias=False, key=KEY)),
    "group_norm": ("group_norm", lambda: nn.GroupNorm(2, 4)),
    "group_norm plain": (
        "group_norm",
        lambda: nn.GroupNorm(2, channelwise_affine=False),
    ),
    "prelu of channels": ("prelu", lambda: nn.PReLU(jnp.arange(4.0)[:, None, None])),
    "conv_transpose": ("conv_transpose", lambda: nn.ConvTranspose2d(4, 6, 3, key=KEY)),
    "conv_transpose of strides": (
        "conv_transpose",
        lambda: nn.ConvTranspose2d(4, 6, 3, 2, padding=1, output_padding=1, key=KEY),
    ),
    "conv_transpose of groups": (
        "conv_transpose",
        lambda: nn.ConvTranspose2d(4, 6, 2, 2, groups=2, key=KEY),
    ),
    "max_pool": ("max_pool", lambda: nn.MaxPool2d(2, 2)),
    "avg_pool": ("avg_pool", lambda: nn.AvgPool2d(3, 2)),
}


def ops_of(graph: bx.Graph) -> list[str]:
    return [n.op for f in graph.functions.values() for n in f.nodes.values()]


def perturbed(model: Any) -> Any:
    """The model with parameters that are not those of its start."""

    def moved(array: Any) -> Any:
        if not eqx.is_inexact_array(array):
            return array
        return array + 0.1 * jax.random.normal(KEY, array.shape, array.dtype)

    return jax.tree.map(moved, model)


def imported(model: Any, **shapes: Any) -> tuple[bx.Graph, Any]:
    inputs = {n: bx.Input(["batch", *s]) for n, s in shapes.items()}
    graph, params, origin = bx.from_jax(
        lambda m, *xs: jax.vmap(m)(*xs), inputs, perturbed(model), name="layer"
    )
    assert origin.report.greatest <= 1e-5, str(origin.report)
    return graph, params


@pytest.mark.parametrize("name", VECTORS)
def test_a_layer_of_vectors(name: str) -> None:
    op, make = VECTORS[name]
    graph, _ = imported(make(), x=[6])
    assert ops_of(graph).count(op) == 1
    assert set(ops_of(graph)) <= {op, "add", "param", "rng"}


@pytest.mark.parametrize("name", IMAGES)
def test_a_layer_of_images(name: str) -> None:
    op, make = IMAGES[name]
    graph, _ = imported(make(), x=[4, 8, 9])
    assert ops_of(graph).count(op) == 1
    assert len(ops_of(graph)) <= 4, ops_of(graph)


def test_an_embedding() -> None:
    ids = {"ids": bx.Input(["batch", "time"], "int32")}
    graph, _, origin = bx.from_jax(
        lambda m, x: jax.vmap(jax.vmap(m))(x), ids, nn.Embedding(5, 4, key=KEY)
    )
    assert ops_of(graph) == ["embed"]
    assert origin.report.greatest <= 1e-5


def test_rotary_positions_of_any_number() -> None:
    _, _, origin = bx.from_jax(
        lambda m, x: jax.vmap(m)(x),
        {"x": bx.Input(["batch", "time", 6])},
        nn.RotaryPositionalEmbedding(6),
    )
    assert origin.report.greatest <= 1e-5


@pytest.mark.parametrize("bias", [True, False])
def test_cells(bias: bool) -> None:
    gru = nn.GRUCell(3, 4, use_bias=bias, key=KEY)
    graph, _ = imported(gru, x=[3], h=[4])
    assert ops_of(graph).count("gru_cell") == 1
    lstm = nn.LSTMCell(3, 4, use_bias=bias, key=KEY)
    inputs = {n: bx.Input(["batch", s]) for n, s in {"x": 3, "h": 4, "c": 4}.items()}
    graph, _, origin = bx.from_jax(
        lambda m, x, h, c: jax.vmap(m)(x, (h, c)), inputs, perturbed(lstm)
    )
    assert ops_of(graph) == ["lstm_cell"]
    assert origin.report.greatest <= 1e-5


@pytest.mark.parametrize("masked", ["no", "shared", "of heads"])
def test_attention(masked: str) -> None:
    attention = nn.MultiheadAttention(
        2, 6, use_query_bias=True, use_output_bias=True, key=KEY
    )
    sizes: dict[str, list[int | str]] = {
        "no": [],
        "shared": ["time", "time"],
        "of heads": [2, "time", "time"],
    }
    inputs = {"x": bx.Input(["batch", "time", 6])}
    if masked != "no":
        inputs["mask"] = bx.Input(sizes[masked], "bool")

    def call(m: Any, x: Any, mask: Any = None) -> Any:
        return jax.vmap(lambda y: m(y, y, y, mask))(x)

    graph, _, origin = bx.from_jax(call, inputs, perturbed(attention))
    assert ops_of(graph).count("dot_product_attention") == 1
    assert set(ops_of(graph)) <= {
        "linear",
        "reshape",
        "flatten",
        "call",
        "dot_product_attention",
        "index",
        "expand_dims",
    }
    assert origin.report.greatest <= 1e-5


def test_arrays_return_to_the_module() -> None:
    model = nn.MLP(3, 2, 8, 2, key=KEY)
    graph, params, origin = bx.from_jax(
        lambda m, x: jax.vmap(m)(x), {"x": bx.Input(["batch", 3])}, model
    )
    trained = jax.tree.map(lambda a: 1.1 * a + 0.01, params)
    back = origin.export(trained)
    x = jax.random.normal(KEY, (4, 3))
    np.testing.assert_allclose(
        jax.vmap(back)(x), bx.build(graph)(trained, x)[0], rtol=1e-5, atol=1e-6
    )
    assert type(back) is nn.MLP


class Normed(eqx.Module):  # type: ignore[misc]
    conv: eqx.nn.Conv2d
    bn: eqx.nn.BatchNorm
    sn: eqx.nn.SpectralNorm[eqx.nn.Linear]

    def __init__(self, mode: Any) -> None:
        self.conv = nn.Conv2d(3, 4, 3, key=KEY)
        self.bn = nn.BatchNorm(4, "batch", mode=mode, momentum=0.9)
        self.sn = nn.SpectralNorm(nn.Linear(4, 2, key=KEY), "weight", key=KEY)

    def __call__(self, x: Any, state: Any) -> Any:
        x, state = self.bn(self.conv(x), state)
        x, state = self.sn(jnp.mean(jax.nn.relu(x), axis=(1, 2)), state)
        return x, state


def batched(pair: Any, x: Any) -> Any:
    model, state = pair
    run = jax.vmap(model, axis_name="batch", in_axes=(0, None), out_axes=(0, None))
    return run(x, state)


@pytest.mark.parametrize(("mode", "own"), [("ema", "first"), ("batch", "count")])
def test_state_lies_at_its_layer_and_is_trained_as_in_the_source(
    mode: str, own: str
) -> None:
    """From the first step on, where averages are corrected."""
    model, state = nn.make_with_state(Normed)(mode)
    inputs = {"x": bx.Input(["batch", 3, 8, 8])}
    graph, params, origin = bx.from_jax(batched, inputs, (model, state))
    assert origin.report.greatest <= 1e-5, str(origin.report)
    assert set(params["bn"]) == {"weight", "bias", "mean", "var", own}
    run = jax.jit(bx.build(graph, train=True))
    source = eqx.filter_jit(batched)
    for step in range(2):
        x = jax.random.normal(jax.random.fold_in(KEY, step), (4, 3, 8, 8))
        wanted, state = source((model, state), x)
        found, new = run(params, x)
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
        params = bx.merge(params, new)
        back, kept = origin.export(params)
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6),
            jax.tree.leaves(kept),
            jax.tree.leaves(state),
        )
        assert not back.bn.inference


def test_a_part_is_a_module_by_its_path() -> None:
    model = nn.Sequential([nn.Linear(3, 4, key=KEY), nn.MLP(4, 2, 8, 2, key=KEY)])
    graph, params, origin = bx.from_jax(
        lambda m, x: jax.vmap(m)(x),
        {"x": bx.Input(["batch", 3])},
        model,
        partial="layers.1",
    )
    assert list(graph.functions["main"].inputs["x"].shape) == ["batch", 4]
    assert origin.report.greatest <= 1e-5
    x = jax.random.normal(KEY, (5, 4))
    np.testing.assert_allclose(
        bx.build(graph)(params, x)[0],
        jax.vmap(model.layers[1])(x),
        rtol=1e-5,
        atol=1e-6,
    )
