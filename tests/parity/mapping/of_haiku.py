"""The three models in Haiku: averages in a state, one matrix of all gates, flat names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import haiku as hk
import jax
from parity.mapping import graphs
from parity.mapping.graphs import DEPTH, HEADS, UNITS, WIDTH, WORDS, Case, shaken

import blox as bx

L = bx.layouts


def _case(
    model: Callable[[Any], Any], x: Any, graph: bx.Graph, rules: list[Any]
) -> Case:
    run = hk.without_apply_rng(hk.transform_with_state(model))
    params, state = jax.tree.map(shaken, jax.jit(run.init)(jax.random.key(0), x))
    wanted, _ = jax.jit(run.apply)(params, state, x)
    return Case(graph, rules, {"params": params, "state": state}, wanted)


def images(x: Any) -> Any:
    x = hk.Conv2D(4, 3, name="conv")(x)
    x = hk.BatchNorm(True, True, 0.9, name="norm")(x, is_training=hk.running_init())
    return hk.Linear(10, name="out")(jax.nn.relu(x).reshape(len(x), -1))


def cnn() -> Case:
    graph = graphs.cnn()
    ones = L.Rearrange("1 1 1 c -> c")
    rules = [
        bx.Rule("norm.scale", "params.norm.scale", ones),
        bx.Rule("norm.bias", "params.norm.offset", ones),
        bx.Rule("norm.{n}", "state.norm.~.{n}_ema.average", ones),
        bx.Ignored("state.**.hidden", "state.**.counter"),
        *bx.layer_rules(
            graph, {"conv": "params.conv", "out": "params.out"}, of="haiku"
        ),
    ]
    return _case(images, graphs.PIXELS, graph, rules)


def tagger(tokens: Any) -> Any:
    x = hk.Embed(WORDS, WIDTH, name="embed")(tokens)
    cell = hk.LSTM(UNITS, name="lstm")
    start = cell.initial_state(len(x))
    x, _ = hk.dynamic_unroll(cell, x, start, time_major=False)
    return hk.Linear(3, name="out")(x)


def cell(f: bx.F, h: bx.Value, c: bx.Value, x: bx.Value) -> dict[str, bx.Value]:
    gates = f.linear("gates", f.concatenate([x, h], axis=-1), 4 * h.features)
    i, g, forget, o = f.split(gates, 4, axis=-1)
    c = f.sigmoid(forget + 1.0) * c + f.sigmoid(i) * f.tanh(g)
    h = f.sigmoid(o) * f.tanh(c)
    return {"h": h, "c": c, "y": h}


def lstm() -> Case:
    graph = graphs.own_lstm(cell)
    modules = {
        "embed": "params.embed",
        "lstm.gates": "params.lstm.linear",
        "out": "params.out",
    }
    rules = bx.layer_rules(graph, modules, of="haiku")
    return _case(tagger, graphs.TOKENS, graph, rules)


def encoder(tokens: Any) -> Any:
    def norm(x: Any, name: str) -> Any:
        return hk.LayerNorm(-1, True, True, name=name)(x)

    embed = hk.Embed(WORDS, WIDTH, name="embed")
    x = embed(tokens)
    start = hk.initializers.VarianceScaling()
    for i in range(DEPTH):
        h = norm(x, f"block{i}_norm1")
        size = WIDTH // HEADS
        attention = hk.MultiHeadAttention(
            HEADS, size, w_init=start, name=f"block{i}_attention"
        )
        x = x + attention(h, h, h)
        h = hk.Linear(16, name=f"block{i}_up")(norm(x, f"block{i}_norm2"))
        x = x + hk.Linear(WIDTH, name=f"block{i}_down")(jax.nn.gelu(h))
    return norm(x, "norm") @ embed.embeddings.T


def transformer() -> Case:
    graph = graphs.transformer()
    modules = {
        "embed": "params.embed",
        "blocks.{i}.ln_1": "params.block{i}_norm1",
        "blocks.{i}.ln_2": "params.block{i}_norm2",
        "blocks.{i}.attn.out": "params.block{i}_attention.linear",
        "blocks.{i}.attn.{n}": "params.block{i}_attention.{n}",
        "blocks.{i}.mlp.up": "params.block{i}_up",
        "blocks.{i}.mlp.down": "params.block{i}_down",
        "norm": "params.norm",
    }
    rules = bx.layer_rules(graph, modules, of="haiku")
    return _case(encoder, graphs.TOKENS, graph, rules)
