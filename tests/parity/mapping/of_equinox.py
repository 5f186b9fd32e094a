"""The three models in Equinox: statistics in a State, channels first, kernels (out, in)."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from parity.mapping import graphs
from parity.mapping.graphs import DEPTH, HEADS, UNITS, WIDTH, WORDS, Case, shaken

import blox as bx

L = bx.layouts
KEYS = list(jax.random.split(jax.random.key(0), 16))


def _shaken(tree: Any) -> Any:
    return jax.tree.map(
        lambda a: jnp.asarray(shaken(a)) if eqx.is_array(a) else a, tree
    )


class Images(eqx.Module):  # type: ignore[misc]
    conv: eqx.nn.Conv2d
    norm: eqx.nn.BatchNorm
    out: eqx.nn.Linear

    def __init__(self) -> None:
        self.conv = eqx.nn.Conv2d(3, 4, 3, padding=1, key=KEYS[0])
        self.norm = eqx.nn.BatchNorm(4, axis_name="batch", mode="ema")
        self.out = eqx.nn.Linear(8 * 6 * 4, 10, key=KEYS[1])

    def __call__(self, x: Any, state: Any) -> Any:
        x, state = self.norm(self.conv(x), state)
        return self.out(jax.nn.relu(x).reshape(-1)), state


def cnn() -> Case:
    graph = graphs.cnn()
    behind = L.Rearrange("o (c h w) -> (h w c) o", h=8, w=6)
    modules = {"conv": "model.conv", "out": "model.out"}
    rules = [
        bx.Rule("out.kernel", "model.out.weight", behind),
        bx.Rule("norm.scale", "model.norm.weight"),
        bx.Rule("norm.bias", "model.norm.bias"),
        bx.Rule("norm.mean", "state.1.0"),
        bx.Rule("norm.var", "state.1.1"),
        bx.Ignored("state.0"),
        *bx.layer_rules(graph, modules, of="equinox"),
    ]
    model, state = _shaken(eqx.nn.make_with_state(Images)())
    run = jax.jit(jax.vmap(eqx.nn.inference_mode(model), (0, None), (0, None)))
    wanted, _ = run(graphs.PIXELS.transpose(0, 3, 1, 2), state)
    return Case(graph, rules, {"model": model, "state": state}, wanted)


class Tagger(eqx.Module):  # type: ignore[misc]
    embed: eqx.nn.Embedding
    cell: eqx.nn.LSTMCell
    out: eqx.nn.Linear

    def __call__(self, tokens: Any) -> Any:
        def step(carry: Any, x: Any) -> Any:
            carry = self.cell(x, carry)
            return carry, carry[0]

        start = (jnp.zeros(UNITS), jnp.zeros(UNITS))
        _, y = jax.lax.scan(step, start, jax.vmap(self.embed)(tokens))
        return jax.vmap(self.out)(y)


def lstm() -> Case:
    graph = graphs.lstm()
    modules = {"embed": "embed", "lstm.layer_0.cell": "cell", "out": "out"}
    rules = bx.layer_rules(graph, modules, of="equinox")
    model = _shaken(
        Tagger(
            eqx.nn.Embedding(WORDS, WIDTH, key=KEYS[2]),
            eqx.nn.LSTMCell(WIDTH, UNITS, key=KEYS[3]),
            eqx.nn.Linear(UNITS, 3, key=KEYS[4]),
        )
    )
    return Case(graph, rules, model, jax.jit(jax.vmap(model))(graphs.TOKENS))


class Block(eqx.Module):  # type: ignore[misc]
    norm1: eqx.nn.LayerNorm
    attention: eqx.nn.MultiheadAttention
    norm2: eqx.nn.LayerNorm
    mlp: eqx.nn.MLP

    def __init__(self, key: Any) -> None:
        keys = jax.random.split(key)
        biases = {f"use_{n}_bias": True for n in ("query", "key", "value", "output")}
        self.norm1 = eqx.nn.LayerNorm(WIDTH)
        self.norm2 = eqx.nn.LayerNorm(WIDTH)
        self.attention = eqx.nn.MultiheadAttention(HEADS, WIDTH, key=keys[0], **biases)
        self.mlp = eqx.nn.MLP(WIDTH, WIDTH, 16, 1, jax.nn.gelu, key=keys[1])

    def __call__(self, x: Any) -> Any:
        h = jax.vmap(self.norm1)(x)
        x = x + self.attention(h, h, h)
        return x + jax.vmap(self.mlp)(jax.vmap(self.norm2)(x))


class Encoder(eqx.Module):  # type: ignore[misc]
    embed: eqx.nn.Embedding
    blocks: list[Block]
    norm: eqx.nn.LayerNorm

    def __call__(self, tokens: Any) -> Any:
        x = jax.vmap(self.embed)(tokens)
        for block in self.blocks:
            x = block(x)
        return jax.vmap(self.norm)(x) @ self.embed.weight.T


def transformer() -> Case:
    graph = graphs.transformer()
    modules = {
        "embed": "embed",
        "blocks.{i}.ln_{n}": "blocks.{i}.norm{n}",
        "blocks.{i}.attn.out": "blocks.{i}.attention.output_proj",
        "blocks.{i}.attn.{n}": "blocks.{i}.attention.{n}_proj",
        "blocks.{i}.mlp.up": "blocks.{i}.mlp.layers.0",
        "blocks.{i}.mlp.down": "blocks.{i}.mlp.layers.1",
        "norm": "norm",
    }
    rules = bx.layer_rules(graph, modules, of="equinox")
    model = _shaken(
        Encoder(
            eqx.nn.Embedding(WORDS, WIDTH, key=KEYS[5]),
            [Block(key) for key in KEYS[6 : 6 + DEPTH]],
            eqx.nn.LayerNorm(WIDTH),
        )
    )
    return Case(graph, rules, model, jax.jit(jax.vmap(model))(graphs.TOKENS))
