"""The three models in Flax NNX: gates by name, heads on an axis, blocks in a list."""

from __future__ import annotations

from typing import Any

import jax
from flax import nnx
from parity.mapping import graphs
from parity.mapping.graphs import DEPTH, HEADS, UNITS, WIDTH, WORDS, Case, shaken

import blox as bx

ARRAYS = (nnx.Param, nnx.BatchStat)


def _case(model: Any, x: Any, graph: bx.Graph, rules: list[Any]) -> Case:
    nnx.update(model, jax.tree.map(shaken, nnx.state(model, ARRAYS)))
    model.eval()
    return Case(
        graph, rules, nnx.state(model, ARRAYS), nnx.jit(type(model).__call__)(model, x)
    )


class Images(nnx.Module):  # type: ignore[misc]
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.conv = nnx.Conv(3, 4, (3, 3), rngs=rngs)
        self.norm = nnx.BatchNorm(4, rngs=rngs)
        self.out = nnx.Linear(8 * 6 * 4, 10, rngs=rngs)

    def __call__(self, x: Any) -> Any:
        return self.out(nnx.relu(self.norm(self.conv(x))).reshape(len(x), -1))


def cnn() -> Case:
    graph = graphs.cnn()
    modules = {"conv": "conv", "norm": "norm", "out": "out"}
    rules = bx.layer_rules(graph, modules, of="nnx")
    return _case(Images(nnx.Rngs(0)), graphs.PIXELS, graph, rules)


class Tagger(nnx.Module):  # type: ignore[misc]
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.embed = nnx.Embed(WORDS, WIDTH, rngs=rngs)
        self.rnn = nnx.RNN(nnx.LSTMCell(WIDTH, UNITS, rngs=rngs), rngs=rngs)
        self.out = nnx.Linear(UNITS, 3, rngs=rngs)

    def __call__(self, tokens: Any) -> Any:
        return self.out(self.rnn(self.embed(tokens)))


def lstm() -> Case:
    graph = graphs.lstm()
    modules = {"embed": "embed", "lstm.layer_0.cell": "rnn.cell", "out": "out"}
    rules = bx.layer_rules(graph, modules, of="nnx")
    return _case(Tagger(nnx.Rngs(0)), graphs.TOKENS, graph, rules)


class Block(nnx.Module):  # type: ignore[misc]
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.norm1, self.norm2 = (nnx.LayerNorm(WIDTH, rngs=rngs) for _ in "12")
        self.attention = nnx.MultiHeadAttention(HEADS, WIDTH, decode=False, rngs=rngs)
        self.up = nnx.Linear(WIDTH, 16, rngs=rngs)
        self.down = nnx.Linear(16, WIDTH, rngs=rngs)

    def __call__(self, x: Any) -> Any:
        x = x + self.attention(self.norm1(x))
        return x + self.down(nnx.gelu(self.up(self.norm2(x))))


class Encoder(nnx.Module):  # type: ignore[misc]
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.embed = nnx.Embed(WORDS, WIDTH, rngs=rngs)
        self.layers = nnx.List([Block(rngs) for _ in range(DEPTH)])
        self.norm = nnx.LayerNorm(WIDTH, rngs=rngs)

    def __call__(self, tokens: Any) -> Any:
        x = self.embed(tokens)
        for layer in self.layers:
            x = layer(x)
        return self.embed.attend(self.norm(x))


def transformer() -> Case:
    graph = graphs.transformer(eps=1e-6)
    modules = {
        "embed": "embed",
        "blocks.{i}.ln_{n}": "layers.{i}.norm{n}",
        "blocks.{i}.mlp.{n}": "layers.{i}.{n}",
        "norm": "norm",
    }
    rules = [
        *graphs.rules_of_heads("layers.{i}.attention."),
        *bx.layer_rules(graph, modules, of="nnx"),
    ]
    return _case(Encoder(nnx.Rngs(0)), graphs.TOKENS, graph, rules)
