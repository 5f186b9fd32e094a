"""Whole models of Flax and Haiku as Graphs, as their users write them."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from importers.agreement import DIMS, Shapes, agree, drawn, noisy

import blox as bx

pytestmark = pytest.mark.parity
IMAGES: Shapes = {"images": ["batch", 12, 12, 3]}
TOKENS: Shapes = {"ids": ["batch", "time"]}
ROWS: Shapes = {"x": ["batch", 6]}
SEQUENCES: Shapes = {"x": ["batch", "time", 6]}


def inputs_of(shapes: Shapes) -> dict[str, bx.Input]:
    return {
        name: bx.Input(list(shape), "int32" if name.startswith("ids") else "float")
        for name, shape in shapes.items()
    }


def of_nnx(model: Any, shapes: Shapes) -> Any:
    """The Graph of a module of NNX, which is checked."""
    model.eval()
    graphdef, keys, state = nnx.split(model, nnx.RngState, ...)
    imported: Any = bx.from_jax(model, inputs_of(shapes), name="model", check=False)
    agree(
        imported,
        lambda arrays, *xs: nnx.merge(graphdef, jax.tree.map(same, keys), arrays)(*xs),
        state,
        shapes,
        lambda exported: nnx.split(exported, nnx.RngState, ...)[2],
    )
    return imported[0]


def same(key: Any) -> Any:
    """The key; its variable is a new one, of the trace that asks for it."""
    return key


def of_linen(model: Any, shapes: Shapes, **flags: Any) -> Any:
    """The Graph of a module of Linen, which is checked."""
    xs = drawn(shapes, DIMS[0])
    variables = noisy(
        jax.eval_shape(lambda: model.init(jax.random.key(0), *xs, **flags))
    )
    imported: Any = bx.from_jax(
        model, inputs_of(shapes), variables, name="model", check=False
    )
    agree(
        imported,
        lambda arrays, *xs: model.apply(arrays, *xs, **flags),
        variables,
        shapes,
    )
    return imported[0]


def ops(graph: bx.Graph, function: str) -> list[str]:
    return [node.op for node in graph.functions[function].nodes.values()]


class ConvBlock(nnx.Module):  # type: ignore[misc]
    def __init__(self, inputs: int, features: int, rngs: nnx.Rngs) -> None:
        self.conv = nnx.Conv(inputs, features, (3, 3), rngs=rngs)
        self.norm = nnx.BatchNorm(features, rngs=rngs)

    def __call__(self, x: jax.Array) -> Any:
        x = nnx.relu(self.norm(self.conv(x)))
        return nnx.max_pool(x, (2, 2), strides=(2, 2))


class CNN(nnx.Module):  # type: ignore[misc]
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.first = ConvBlock(3, 8, rngs)
        self.second = ConvBlock(8, 8, rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)
        self.head = nnx.Linear(8, 5, rngs=rngs)

    def __call__(self, images: jax.Array) -> Any:
        x = self.second(self.first(images))
        x = jnp.mean(x, axis=(1, 2))
        return self.head(self.dropout(x))


def test_a_conv_net_of_nnx() -> None:
    graph = of_nnx(CNN(nnx.Rngs(0)), IMAGES)
    assert ops(graph, "conv_block") == ["conv", "batch_norm", "relu", "max_pool"]
    assert ops(graph, "main")[-3:] == ["mean", "dropout", "linear"]


def test_training_updates_what_the_source_updates() -> None:
    model = CNN(nnx.Rngs(0))
    graph, params, _ = bx.from_jax(model, inputs_of(IMAGES), check=False)
    (images,) = drawn(IMAGES, DIMS[0])
    run = bx.build(graph, train=True)
    found, state = run(params, images)
    model.train()
    model(images)
    for name, block in (("first", model.first), ("second", model.second)):
        for leaf in ("mean", "var"):
            wanted = getattr(block.norm, leaf)[...]
            np.testing.assert_allclose(state[name]["norm"][leaf], wanted, 1e-5, 1e-6)
    assert state["rng"]["count"] == 1
    assert jnp.abs(found - bx.build(graph)(params, images)[0]).max() > 0.01


class Block(nn.Module):  # type: ignore[misc]
    dim: int

    @nn.compact  # type: ignore[untyped-decorator]
    def __call__(self, x: jax.Array, train: bool) -> Any:
        h = nn.LayerNorm(name="norm")(x)
        x = x + nn.MultiHeadDotProductAttention(2, name="attention")(h)
        h = nn.gelu(nn.Dense(2 * self.dim, name="up")(nn.LayerNorm(name="norm_2")(x)))
        h = nn.Dropout(0.1)(nn.Dense(self.dim, name="down")(h), deterministic=not train)
        return x + h


class Encoder(nn.Module):  # type: ignore[misc]
    depth: int = 3

    @nn.compact  # type: ignore[untyped-decorator]
    def __call__(self, ids: jax.Array, train: bool = True) -> Any:
        embed = nn.Embed(7, 8, name="embed")
        x = embed(ids)
        for i in range(self.depth):
            x = Block(8, name=f"block_{i}")(x, train)
        return embed.attend(nn.LayerNorm(name="last")(x))


def test_an_encoder_of_linen() -> None:
    graph = of_linen(Encoder(), TOKENS, train=False)
    assert "multi_head_dot_product_attention" in graph.functions
    assert ops(graph, "main")[:2] == ["rng", "embed"]
    assert ops(graph, "main")[-2:] == ["layer_norm", "unembed"]


class Stacked(nn.Module):  # type: ignore[misc]
    """Layers whose arrays are stacked, run by a scan."""

    @nn.compact  # type: ignore[untyped-decorator]
    def __call__(self, x: jax.Array) -> Any:
        class Layer(nn.Module):  # type: ignore[misc]
            @nn.compact  # type: ignore[untyped-decorator]
            def __call__(self, x: jax.Array, _: None) -> Any:
                return x + nn.tanh(nn.Dense(6)(x)), None

        run = nn.scan(
            Layer, variable_axes={"params": 0}, split_rngs={"params": True}, length=4
        )
        return run(name="layers")(x, None)[0]


def test_stacked_layers_of_linen() -> None:
    graph = of_linen(Stacked(), ROWS)
    assert ops(graph, "main") == ["repeat"]


class Layer(nnx.Module):  # type: ignore[misc]
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.linear = nnx.Linear(6, 6, rngs=rngs)

    def __call__(self, x: jax.Array) -> Any:
        return x + jnp.tanh(self.linear(x))


class Tower(nnx.Module):  # type: ignore[misc]
    """Layers whose arrays are stacked, made by `nnx.vmap` and run by `nnx.scan`."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        @nnx.split_rngs(splits=4)  # type: ignore[untyped-decorator]
        @nnx.vmap(in_axes=(0,), out_axes=0)  # type: ignore[untyped-decorator]
        def create(rngs: nnx.Rngs) -> Layer:
            return Layer(rngs)

        self.layers = create(rngs)

    def __call__(self, x: jax.Array) -> Any:
        @nnx.scan(in_axes=(nnx.Carry, 0), out_axes=nnx.Carry)  # type: ignore[untyped-decorator]
        def forward(x: jax.Array, layer: Layer) -> Any:
            return layer(x)

        return forward(x, self.layers)


def test_stacked_layers_of_nnx() -> None:
    graph = of_nnx(Tower(nnx.Rngs(0)), ROWS)
    assert ops(graph, "main") == ["repeat"]


class Tagger(nnx.Module):  # type: ignore[misc]
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.rnn = nnx.RNN(nnx.GRUCell(6, 5, rngs=rngs))
        self.head = nnx.Linear(5, 3, rngs=rngs)

    def __call__(self, x: jax.Array) -> Any:
        return self.head(self.rnn(x))


def test_a_recurrent_net_of_nnx() -> None:
    graph = of_nnx(Tagger(nnx.Rngs(0)), SEQUENCES)
    assert ops(graph, "main")[-1] == "linear"
    assert any("gru_cell" in ops(graph, name) for name in graph.functions)


class Bidirectional(nn.Module):  # type: ignore[misc]
    @nn.compact  # type: ignore[untyped-decorator]
    def __call__(self, x: jax.Array) -> Any:
        forward, backward = nn.RNN(nn.LSTMCell(4)), nn.RNN(nn.LSTMCell(4))
        return nn.Dense(3)(nn.Bidirectional(forward, backward)(x))


def test_a_recurrent_net_of_linen() -> None:
    graph = of_linen(Bidirectional(), SEQUENCES)
    assert ops(graph, "main")[-1] == "linear"


def test_a_perceptron_of_haiku() -> None:
    def perceptron(x: jax.Array) -> Any:
        return hk.nets.MLP([8, 8, 2])(x)

    model = hk.transform(perceptron)
    xs = drawn(ROWS, DIMS[0])
    params = noisy(jax.eval_shape(lambda: model.init(jax.random.key(0), *xs)))
    imported: Any = bx.from_jax(model, inputs_of(ROWS), params, check=False)
    agree(imported, lambda arrays, x: model.apply(arrays, None, x), params, ROWS)
    assert sorted(imported[1]) == ["mlp"]
