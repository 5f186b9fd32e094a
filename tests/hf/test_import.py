"""A checkpoint of transformers becomes a Graph and Params that compute the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hf.checkpoints import TINY, Arrays, copy, expected
from safetensors.numpy import load_file, save_file

import blox as bx
from blox.importers.hf import from_hf, to_hf
from blox.importers.hf.families.bert import BERT, BertConfig
from blox.importers.hf.family.family import Model
from blox.importers.hf.family.sentence import SentenceConfig
from blox.schema import from_bytes, to_json
from blox.schema.resolve.resolver import validate
from blox.weights import save_flat

INPUTS = ("input_ids", "attention_mask", "token_type_ids", "position_ids")
CASES = {"plain": INPUTS[:1], "padded": INPUTS[:3], "full": INPUTS}


@pytest.fixture(scope="module")
def tiny() -> tuple[bx.Graph, dict[str, Any]]:
    return from_hf(TINY, name="tiny")


@pytest.fixture(scope="module")
def known() -> Arrays:
    return expected()


def close(found: Any, wanted: Any, atol: float = 3e-6) -> None:
    np.testing.assert_allclose(np.asarray(found), wanted, rtol=0, atol=atol)


@pytest.mark.parametrize("case", CASES)
def test_outputs_are_those_of_transformers(
    case: str, tiny: tuple[bx.Graph, dict[str, Any]], known: Arrays
) -> None:
    graph, params = tiny
    inputs = {name: known[name] for name in CASES[case]}
    outputs, state = jax.jit(bx.build(graph))(params, **inputs)
    assert list(outputs) == ["last_hidden_state", "pooler_output"]
    assert state == {}
    for name, value in outputs.items():
        close(value, known[f"{case}.{name}"])


@pytest.mark.parametrize("case", ["plain", "padded"])
def test_sentence_embeddings_are_those_of_sentence_transformers(
    case: str, tiny: tuple[bx.Graph, dict[str, Any]], known: Arrays
) -> None:
    graph, params = tiny
    inputs = {name: known[name] for name in CASES[case]}
    vectors, _ = jax.jit(bx.build(graph, "sentence_embedding"))(params, **inputs)
    close(vectors, known[f"{case}.sentence_embedding"], 1e-6)


def test_outputs_are_near_the_float64_reference(
    tiny: tuple[bx.Graph, dict[str, Any]], known: Arrays
) -> None:
    graph, params = tiny
    inputs = {name: known[name] for name in CASES["padded"]}
    outputs, _ = jax.jit(bx.build(graph))(params, **inputs)
    for name, value in outputs.items():
        close(value, known[f"double.{name}"])


def test_absent_inputs_mean_what_transformers_says(
    tiny: tuple[bx.Graph, dict[str, Any]], known: Arrays
) -> None:
    graph, params = tiny
    ids = known["input_ids"]
    model = jax.jit(bx.build(graph))
    spelled_out = {
        "attention_mask": np.ones_like(ids),
        "token_type_ids": np.zeros_like(ids),
        "position_ids": np.broadcast_to(np.arange(9, dtype=np.int32), ids.shape),
    }
    plain, _ = model(params, ids)
    full, _ = model(params, ids, **spelled_out)
    for name, value in plain.items():
        close(value, full[name], 1e-6)


def test_padding_is_ignored(
    tiny: tuple[bx.Graph, dict[str, Any]], known: Arrays
) -> None:
    graph, params = tiny
    embed = jax.jit(bx.build(graph, "sentence_embedding"))
    ids, mask = known["input_ids"], known["attention_mask"]
    other = np.where(mask == 1, ids, 7)
    assert (other != ids).any()
    close(embed(params, other, mask)[0], embed(params, ids, mask)[0], 1e-6)
    short, _ = embed(params, ids[1:2, :6])
    close(short, embed(params, ids[1:2], mask[1:2])[0], 1e-6)


def test_the_graph_is_sound_and_survives_its_file(
    tiny: tuple[bx.Graph, dict[str, Any]],
) -> None:
    graph, params = tiny
    assert list(validate(graph)) == []
    assert from_bytes(to_json(graph).encode()) == graph
    assert graph.attributes == {
        "vocab": 48,
        "width": 16,
        "depth": 3,
        "heads": 4,
        "hidden": 24,
        "context": 12,
        "types": 2,
    }
    shapes = jax.tree.map(lambda a: a.shape, params)
    fresh = jax.eval_shape(lambda: bx.init(graph, jax.random.key(0)))
    assert shapes == jax.tree.map(lambda a: a.shape, fresh)
    assert shapes["encoder"]["up"] == {"kernel": (3, 16, 24), "bias": (3, 24)}


def test_sizes_follow_the_attributes() -> None:
    own = {"vocab": "vocab_size", "width": "hidden_size", "depth": "num_hidden_layers",
           "heads": "num_attention_heads", "hidden": "intermediate_size",
           "context": "max_position_embeddings", "types": "type_vocab_size"}  # fmt: skip

    def make(**attributes: Any) -> bx.Graph:
        small = {"vocab": 48, "width": 16, "depth": 3, "heads": 4, "hidden": 24}
        given = small | {"context": 12, "types": 2} | attributes
        sizes: dict[str, Any] = {own[name]: size for name, size in given.items()}
        model = Model(
            family=BERT,
            architecture="BertModel",
            config=BertConfig(**sizes),
            raw={},
            parts=frozenset({"pooler"}),
            sentence=SentenceConfig(normalize=True),
        )
        return model.graph("bert")

    bx.check_attributes(make, width=12, depth=2, heads=3, vocab=11, hidden=7)


def test_sizes_can_be_replaced(tiny: tuple[bx.Graph, dict[str, Any]]) -> None:
    graph = tiny[0].replace_attributes(depth=2, width=8, heads=2, vocab=11)
    params = jax.eval_shape(lambda: bx.init(graph, jax.random.key(0)))
    ids = jax.ShapeDtypeStruct((2, 5), jnp.int32)
    outputs, _ = jax.eval_shape(bx.build(graph), params, ids)
    assert outputs["last_hidden_state"].shape == (2, 5, 8)


def test_longer_than_the_table_of_positions_is_refused(
    tiny: tuple[bx.Graph, dict[str, Any]],
) -> None:
    graph, params = tiny
    with pytest.raises(bx.ModelError, match="expected at most 12, found 13"):
        bx.build(graph)(params, jnp.zeros((1, 13), jnp.int32))


def test_gradients_reach_every_array(
    tiny: tuple[bx.Graph, dict[str, Any]], known: Arrays
) -> None:
    graph, params = tiny
    model = bx.build(graph)

    def loss(params: Any) -> jax.Array:
        outputs, _ = model(params, known["input_ids"])
        return jnp.sum(outputs["pooler_output"] ** 2)

    gradients = jax.jit(jax.grad(loss))(params)
    # The bias of the keys shifts all scores of a query alike, so softmax drops it.
    for path, leaf in jax.tree_util.tree_leaves_with_path(gradients):
        name = jax.tree_util.keystr(path)
        assert jnp.isfinite(leaf).all(), name
        assert "'key']['bias']" in name or jnp.abs(leaf).max() > 0, name


def test_names_of_other_savers(
    tmp_path: Path, tiny: tuple[bx.Graph, dict[str, Any]]
) -> None:
    def rename(arrays: Arrays) -> Arrays:
        old = {}
        for name, value in arrays.items():
            for new, former in ((".weight", ".gamma"), (".bias", ".beta")):
                if name.endswith("LayerNorm" + new):
                    name = name.removesuffix(new) + former
            old[f"bert.{name}"] = value
        old["bert.embeddings.position_ids"] = np.arange(12)[None]
        return old

    _, params = from_hf(copy(tmp_path, arrays=rename))
    jax.tree.map(np.testing.assert_array_equal, params, tiny[1])


def test_shards(tmp_path: Path, tiny: tuple[bx.Graph, dict[str, Any]]) -> None:
    to_hf(tmp_path, *tiny, max_shard_size=8000)
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 2
    _, params = from_hf(tmp_path)
    jax.tree.map(np.testing.assert_array_equal, params, tiny[1])


def test_without_pooler(tmp_path: Path, known: Arrays) -> None:
    folder = copy(
        tmp_path,
        arrays=lambda a: {k: v for k, v in a.items() if not k.startswith("pooler")},
    )
    graph, params = from_hf(folder)
    hidden, _ = jax.jit(bx.build(graph))(params, known["input_ids"])
    close(hidden, known["plain.last_hidden_state"])
    embed = jax.jit(bx.build(graph, "sentence_embedding"))
    vectors, _ = embed(params, known["input_ids"])
    close(vectors, known["plain.sentence_embedding"], 1e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_dtype_is_kept(dtype: str, tmp_path: Path, known: Arrays) -> None:
    folder = copy(tmp_path)
    full = load_file(folder / "model.safetensors")
    arrays = {name: jnp.asarray(value, dtype) for name, value in full.items()}
    save_flat(folder, arrays, metadata={"format": "pt"}, stem="model")
    graph, params = from_hf(folder)
    assert {str(leaf.dtype) for leaf in jax.tree.leaves(params)} == {dtype}
    # JAX compiles no attention in float16 for CPUs: it runs in float32 there.
    runs = "float32" if dtype == "float16" else dtype
    outputs, _ = jax.jit(bx.build(graph, dtype=runs))(params, known["input_ids"])
    assert outputs["last_hidden_state"].dtype == runs
    close(
        outputs["last_hidden_state"].astype(jnp.float32),
        known["plain.last_hidden_state"],
        0.2,
    )


POOLED: dict[str, Callable[[Any, Any], Any]] = {
    "mean": lambda x, m: (x * m).sum(1) / m.sum(1),
    "mean_sqrt_len_tokens": lambda x, m: (x * m).sum(1) / np.sqrt(m.sum(1)),
    "max": lambda x, m: np.where(m == 1, x, -np.inf).max(1),
    "cls": lambda x, m: np.stack([r[k.argmax()] for r, k in zip(x, m, strict=True)]),
    "lasttoken": lambda x, m: np.stack(
        [r[k[:, 0].nonzero()[0][-1]] for r, k in zip(x, m, strict=True)]
    ),
    "weightedmean": lambda x, m: (
        (x * m.cumsum(1) * m).sum(1) / (m.cumsum(1) * m).sum(1)
    ),
}


def pooled_by(folder: Path, data: Any, *, normalize: bool) -> Path:
    copy(folder)
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(data))
    if not normalize:
        modules = json.loads((folder / "modules.json").read_text())[:2]
        (folder / "modules.json").write_text(json.dumps(modules))
    return folder


@pytest.mark.parametrize("mode", POOLED)
def test_poolings(
    mode: str, tmp_path: Path, tiny: tuple[bx.Graph, dict[str, Any]], known: Arrays
) -> None:
    mask = known["attention_mask"].copy()
    mask[1] = mask[1][::-1]  # padded on the left
    inputs = {"input_ids": known["input_ids"], "attention_mask": mask}
    graph, params = from_hf(
        pooled_by(tmp_path, {"pooling_mode": mode}, normalize=False)
    )
    hidden = bx.build(graph)(params, **inputs)[0]["last_hidden_state"]
    wanted = POOLED[mode](np.asarray(hidden), mask[..., None])
    vectors, _ = bx.build(graph, "sentence_embedding")(params, **inputs)
    close(vectors, wanted, 1e-6)


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("mode", POOLED)
def test_poolings_in_older_files(mode: str, normalize: bool, tmp_path: Path) -> None:
    old = {"cls": "cls_token", "mean": "mean_tokens", "max": "max_tokens"}
    old["weightedmean"] = "weightedmean_tokens"
    switch = {f"pooling_mode_{old.get(mode, mode)}": True}
    new = pooled_by(tmp_path / "new", {"pooling_mode": mode}, normalize=normalize)
    former = pooled_by(tmp_path / "old", switch, normalize=normalize)
    graph, _ = from_hf(new)
    assert from_hf(former)[0] == graph
    assert ("normalized" in graph.functions["sentence_embedding"].nodes) == normalize


def test_sentence_modules_can_be_left_out() -> None:
    graph, _ = from_hf(TINY, sentence=False)
    assert graph.entries == ["main"]


def test_heads_that_a_class_does_not_have_are_left_out(tmp_path: Path) -> None:
    def change(arrays: Arrays) -> Arrays:
        arrays = {f"bert.{name}": array for name, array in arrays.items()}
        arrays["qa_outputs.weight"] = np.ones((2, 16), np.float32)
        arrays["qa_outputs.bias"] = np.zeros(2, np.float32)
        arrays["cls.seq_relationship.bias"] = np.zeros(2, np.float32)
        return arrays

    folder = copy(tmp_path / "both", arrays=change)
    _, params = from_hf(folder, architecture="BertForQuestionAnswering")
    assert params.keys() >= {"qa_outputs"}
    assert params.keys().isdisjoint({"pooler", "next_sentence"})


DENSE: dict[str, Callable[[Any], Any]] = {
    "activation.Tanh": np.tanh,
    "linear.Identity": lambda x: x,
    "activation.ReLU": lambda x: np.maximum(x, 0),
}


@pytest.mark.parametrize("act", DENSE)
def test_maps_of_the_pooled_vector(act: str, tmp_path: Path, known: Arrays) -> None:
    folder = pooled_by(
        tmp_path / "in", {"pooling_mode": ["mean", "cls"]}, normalize=True
    )
    modules = json.loads((folder / "modules.json").read_text())
    modules.insert(2, {"type": "sentence_transformers.models.Dense", "path": "2_Dense"})
    (folder / "modules.json").write_text(json.dumps(modules))
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(5, 32)).astype(np.float32)
    bias = rng.normal(size=5).astype(np.float32)
    (folder / "2_Dense").mkdir()
    save_file(
        {"linear.weight": kernel, "linear.bias": bias},
        folder / "2_Dense" / "model.safetensors",
    )
    dense: dict[str, Any] = {"in_features": 32, "out_features": 5, "bias": True}
    dense["activation_function"] = f"torch.nn.modules.{act}"
    (folder / "2_Dense" / "config.json").write_text(json.dumps(dense))
    prompts = {"prompts": {"query": "query: "}, "default_prompt_name": None}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(prompts))

    graph, params = from_hf(folder)
    mask = known["attention_mask"]
    inputs = {"input_ids": known["input_ids"], "attention_mask": mask}
    hidden = np.asarray(bx.build(graph)(params, **inputs)[0]["last_hidden_state"])
    pooled = [POOLED[mode](hidden, mask[..., None]) for mode in ("mean", "cls")]
    wanted = DENSE[act](np.concatenate(pooled, -1) @ kernel.T + bias)
    wanted = wanted / np.linalg.norm(wanted, axis=-1, keepdims=True)
    vectors, _ = bx.build(graph, "sentence_embedding")(params, **inputs)
    close(vectors, wanted, 1e-5)
    assert graph.metadata.extra["sentence_transformers"] == prompts

    to_hf(tmp_path / "out", graph, params)
    for name in ("2_Dense/config.json", "config_sentence_transformers.json"):
        ours, theirs = (
            json.loads((f / name).read_text()) for f in (tmp_path / "out", folder)
        )
        assert ours == theirs
    again, arrays = from_hf(tmp_path / "out")
    assert again == graph
    jax.tree.map(np.testing.assert_array_equal, arrays, params)
