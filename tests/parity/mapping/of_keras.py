"""The three models in Keras: names with slashes, heads on an axis, gates i, f, g, o."""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
from keras import layers
from parity.mapping import graphs
from parity.mapping.graphs import DEPTH, HEADS, UNITS, WIDTH, WORDS, Case, shaken

import blox as bx


def _case(model: Any, x: Any, graph: bx.Graph, rules: list[Any]) -> Case:
    for weight in model.weights:
        weight.assign(shaken(weight))
    return Case(graph, rules, model, model(x, training=False))


def cnn() -> Case:
    graph = graphs.cnn(eps=1e-3)
    model = keras.Sequential(
        [
            keras.Input((8, 6, 3)),
            layers.Conv2D(4, 3, padding="same", name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(),
            layers.Flatten(),
            layers.Dense(10, name="out"),
        ],
        name="cnn",
    )
    modules = {"conv": "cnn.conv", "norm": "cnn.norm", "out": "cnn.out"}
    rules = bx.layer_rules(graph, modules, of="keras")
    return _case(model, graphs.PIXELS, graph, rules)


def lstm() -> Case:
    graph = graphs.lstm()
    model = keras.Sequential(
        [
            keras.Input((7,), dtype="int32"),
            layers.Embedding(WORDS, WIDTH, name="embed"),
            layers.LSTM(UNITS, return_sequences=True, name="lstm"),
            layers.Dense(3, name="out"),
        ],
        name="tagger",
    )
    modules = {
        "embed": "tagger.embed",
        "lstm.layer_0.cell": "tagger.lstm.lstm_cell",
        "out": "tagger.out",
    }
    rules = bx.layer_rules(graph, modules, of="keras")
    return _case(model, graphs.TOKENS, graph, rules)


def transformer() -> Case:
    graph = graphs.transformer("gelu", eps=1e-3)
    tokens = keras.Input((7,), dtype="int32")
    embed = layers.ReversibleEmbedding(WORDS, WIDTH, name="embed")
    x = embed(tokens)
    for i in range(DEPTH):
        h = layers.LayerNormalization(name=f"block_{i}_norm1")(x)
        attention = layers.MultiHeadAttention(
            HEADS, WIDTH // HEADS, name=f"block_{i}_attention"
        )
        x = x + attention(h, h)
        h = layers.LayerNormalization(name=f"block_{i}_norm2")(x)
        h = layers.Dense(16, activation="gelu", name=f"block_{i}_up")(h)
        x = x + layers.Dense(WIDTH, name=f"block_{i}_down")(h)
    x = embed(layers.LayerNormalization(name="norm")(x), reverse=True)
    modules = {
        "embed": "embed",
        "blocks.{i}.ln_1": "block_{i}_norm1",
        "blocks.{i}.ln_2": "block_{i}_norm2",
        "blocks.{i}.mlp.up": "block_{i}_up",
        "blocks.{i}.mlp.down": "block_{i}_down",
        "norm": "norm",
    }
    rules = [
        *graphs.rules_of_heads("block_{i}_attention.", "attention_output"),
        *bx.layer_rules(graph, modules, of="keras"),
    ]
    return _case(keras.Model(tokens, x), graphs.TOKENS, graph, rules)
