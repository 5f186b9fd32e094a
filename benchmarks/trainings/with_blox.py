"""In blox: the Graphs of `examples/`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import jax
from jax import Array

import blox as bx

from .parts import Training

sys.path.append(str(Path(__file__).parents[2] / "examples"))

import finetune_lora
import train_cnn
import train_transformer

MINILM = Path(__file__).parents[2] / "tests" / "models" / "minilm.json"


def encoder(folder: Path | None) -> tuple[bx.Graph, Any]:
    """MiniLM from its checkpoint, or of its sizes with random numbers."""
    if folder is not None:
        return bx.from_hf(folder, name="encoder")
    graph = bx.load_graph(MINILM).replace(name="encoder")
    return graph, bx.init(graph, jax.random.key(0))


def params(name: str, folder: Path | None) -> tuple[bx.Graph, Any]:
    """A Graph, and Params to start with."""
    key = jax.random.key(0)
    if name != "lora":
        make = train_cnn.digits_cnn if name == "cnn" else train_transformer.coder
        graph = make()
        return graph, bx.init(graph, key)
    base, weights = encoder(folder)
    graph = finetune_lora.classifier(base)
    whole = bx.init(graph, key, given={"encoder": weights})
    tuned = finetune_lora.with_lora(graph)
    return tuned.graph, tuned.carry_over(whole, key=key)


def training(graph: bx.Graph, params: Any) -> Training:
    train, still = bx.build(graph, train=True), bx.build(graph)
    keys = [n for n, i in graph.functions["main"].inputs.items() if i.dtype == "key"]

    def predict(
        trainable: Any, rest: Any, inputs: tuple[Array, ...], key: Array | None
    ) -> tuple[Array, Any]:
        merged = bx.merge(trainable, rest)
        if key is None:
            return still(merged, *inputs)[0], rest
        logits, state = train(merged, *inputs, **dict.fromkeys(keys, key))
        return logits, bx.merge(rest, state)

    return Training(predict, *bx.split(graph, params))
