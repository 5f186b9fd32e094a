"""A pretrained encoder with a head, and with LoRA: saved, generated, trained."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from generated_files import executed

import blox as bx
from blox.schema import Graph

BERT = Path(__file__).parents[1] / "hf" / "tiny_bert"
IDS = bx.Input(["batch", "seq"], "int32")


@cache
def encoder() -> tuple[Graph, Any]:
    return bx.from_hf(BERT, name="bert")


def lora(f: bx.F, node: bx.Node) -> bx.Value:
    low = f.linear(f"{node.name}_down", node.x, 2, use_bias=False)
    zeros, size = {"kernel": {"name": "zeros"}}, node.out_features
    up = f.linear(f"{node.name}_up", low, size, use_bias=False, init=zeros)
    changed: bx.Value = node() + up
    return changed


@cache
def changed() -> Graph:
    """A classifier on the encoder, with LoRA around two of its nodes."""
    b = bx.GraphBuilder("classifier", classes=3)
    around = {"attention.query": lora, "attention.value": lora}
    base = b.include(encoder()[0], around=around)

    @b.entry(ids=IDS, mask=IDS)
    def main(f: bx.F, ids: bx.Value, mask: bx.Value) -> dict[str, bx.Value]:
        x = f.call("encoder", base.sentence_embedding)(ids, mask)
        return {"logits": f.linear("head", x, b.classes)}

    return b.graph(license="MIT")


@cache
def inputs() -> tuple[Any, Any]:
    ids = np.random.default_rng(0).integers(1, 48, (4, 7))
    mask = np.arange(7) < np.array([[7], [3], [5], [1]])
    return jnp.asarray(ids, "int32"), jnp.asarray(mask, "int32")


def test_a_changed_model_is_a_model(tmp_path: Path) -> None:
    (base, weights), graph = encoder(), changed()
    params = bx.init(graph, jax.random.key(0), given={"encoder": weights})
    bx.save(tmp_path / "model", graph, params)
    assert bx.validate(tmp_path / "model").ok
    graph, params = bx.load(tmp_path / "model")
    logits, _ = jax.jit(bx.build(graph))(params, *inputs())
    vectors, _ = jax.jit(bx.build(base, "sentence_embedding"))(weights, *inputs())
    wanted = vectors @ params["head"]["kernel"] + params["head"]["bias"]
    assert jnp.allclose(logits, wanted, atol=1e-5)
    source = executed(bx.generate(graph))
    loaded = source["load_params"](tmp_path / "model")
    written = jax.jit(source["classifier"])(loaded, *inputs())
    assert jnp.array_equal(logits, written)


def test_a_step_trains_what_was_added() -> None:
    (base, weights), graph = encoder(), changed()
    params = bx.init(graph, jax.random.key(0), given={"encoder": weights})
    frozen = [f"encoder.{path}" for path in base.program().leaves()]
    trainable, rest = bx.split(graph, params, freeze=frozen)
    paths = {
        jax.tree_util.keystr(path, simple=True, separator="."): leaf.shape
        for path, leaf in jax.tree.leaves_with_path(trainable)
    }
    within = "encoder.encoder.attention"
    assert paths == {
        f"{within}.query_down.kernel": (3, 16, 2),
        f"{within}.query_up.kernel": (3, 2, 16),
        f"{within}.value_down.kernel": (3, 16, 2),
        f"{within}.value_up.kernel": (3, 2, 16),
        "head.kernel": (16, 3),
        "head.bias": (3,),
    }
    model, optimiser = bx.build(graph), optax.adam(0.01)
    labels = jnp.array([0, 1, 2, 0])

    @jax.jit
    @jax.value_and_grad
    def loss(trainable: Any) -> jax.Array:
        logits, _ = model(bx.merge(trainable, rest), *inputs())
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
        return jnp.mean(losses)

    before, grads = loss(trainable)
    updates, _ = optimiser.update(grads, optimiser.init(trainable))
    after, _ = loss(optax.apply_updates(trainable, updates))
    assert after < before
