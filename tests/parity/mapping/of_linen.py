"""The three models in Flax Linen: gates by name, heads on an axis, blocks by nn.scan."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
from parity.mapping import graphs
from parity.mapping.graphs import DEPTH, HEADS, UNITS, WIDTH, WORDS, Case, shaken

import blox as bx


def _case(model: nn.Module, x: Any, graph: bx.Graph, rules: list[Any]) -> Case:
    variables = jax.tree.map(shaken, jax.jit(model.init)(jax.random.key(0), x))
    return Case(graph, rules, variables, jax.jit(model.apply)(variables, x))


class Images(nn.Module):  # type: ignore[misc]
    @nn.compact  # type: ignore[untyped-decorator]
    def __call__(self, x: Any) -> Any:
        x = nn.Conv(4, (3, 3), name="conv")(x)
        x = nn.relu(nn.BatchNorm(use_running_average=True, name="norm")(x))
        return nn.Dense(10, name="out")(x.reshape(len(x), -1))


def cnn() -> Case:
    graph = graphs.cnn()
    modules = {"conv": "conv", "norm": "norm", "out": "out"}
    rules = bx.layer_rules(graph, modules, of="linen")
    return _case(Images(), graphs.PIXELS, graph, rules)


class Tagger(nn.Module):  # type: ignore[misc]
    @nn.compact  # type: ignore[untyped-decorator]
    def __call__(self, tokens: Any) -> Any:
        x = nn.Embed(WORDS, WIDTH, name="embed")(tokens)
        x = nn.RNN(nn.OptimizedLSTMCell(UNITS, name="cell"))(x)
        return nn.Dense(3, name="out")(x)


def lstm() -> Case:
    graph = graphs.lstm()
    modules = {"embed": "embed", "lstm.layer_0.cell": "cell", "out": "out"}
    rules = bx.layer_rules(graph, modules, of="linen")
    return _case(Tagger(), graphs.TOKENS, graph, rules)


class Block(nn.Module):  # type: ignore[misc]
    @nn.compact  # type: ignore[untyped-decorator]
    def __call__(self, x: Any, _: None) -> Any:
        h = nn.LayerNorm(name="norm1")(x)
        x = x + nn.MultiHeadDotProductAttention(HEADS, name="attention")(h)
        h = nn.gelu(nn.Dense(16, name="up")(nn.LayerNorm(name="norm2")(x)))
        return x + nn.Dense(WIDTH, name="down")(h), None


class Encoder(nn.Module):  # type: ignore[misc]
    @nn.compact  # type: ignore[untyped-decorator]
    def __call__(self, tokens: Any) -> Any:
        embed = nn.Embed(WORDS, WIDTH, name="embed")
        each = {"variable_axes": {"params": 0}, "split_rngs": {"params": True}}
        blocks = nn.scan(Block, length=DEPTH, **each)(name="blocks")
        x, _ = blocks(embed(tokens), None)
        return embed.attend(nn.LayerNorm(name="norm")(x))


def transformer() -> Case:
    graph = graphs.transformer(eps=1e-6)
    modules = {
        "embed": "embed",
        "blocks.{i}.ln_{n}": "blocks.norm{n}",
        "blocks.{i}.mlp.up": "blocks.up",
        "blocks.{i}.mlp.down": "blocks.down",
        "norm": "norm",
    }
    rules = [
        *graphs.rules_of_heads("params.blocks.attention."),
        *bx.layer_rules(graph, modules, of="linen"),
    ]
    return _case(Encoder(), graphs.TOKENS, graph, rules)
