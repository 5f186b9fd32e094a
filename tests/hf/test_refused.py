"""Folders that are no BERT, or not sound: one line each, and nothing is run or read."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from hf.checkpoints import Arrays, copy
from safetensors.numpy import load_file

from blox.importers.hf import from_hf
from blox.schema import BloxError, SpecError, WeightsError
from blox.weights import save_flat


def refused(folder: Path, kind: type[BloxError]) -> list[str]:
    with pytest.raises(kind) as caught:
        from_hf(folder)
    lines = [str(d) for d in caught.value.diagnostics]
    assert all("\n" not in line and line.isascii() for line in lines)
    return lines


CONFIGS: dict[str, tuple[dict[str, Any], str]] = {
    "family": (
        {"model_type": "vits"},
        "others can't be imported yet: write the Graph with bx.GraphBuilder",
    ),
    "no family": ({"model_type": None}, "found None"),
    "architecture": (
        {"architectures": ["BertLMHeadModel"]},
        "found 'BertLMHeadModel'; its part without a head: architecture='BertModel'",
    ),
    "code": (
        {"auto_map": {"AutoModel": "modeling.Evil"}},
        "config.json.auto_map: expected none, found",
    ),
    "decoder": ({"is_decoder": True}, "is_decoder: expected False, found True"),
    "positions": (
        {"position_embedding_type": "relative_key"},
        "position_embedding_type: expected 'absolute', found 'relative_key'",
    ),
    "quantised": ({"quantization_config": {"bits": 4}}, "quantization_config"),
    "bool": (
        {"hidden_size": True},
        "config.json.hidden_size: expected an integer from 1 to 16777216, found True",
    ),
    "float": ({"num_hidden_layers": 3.0}, "expected an integer from 1 to 4096"),
    "text": ({"vocab_size": "48"}, "config.json.vocab_size: expected an integer"),
    "negative": ({"max_position_embeddings": -1}, "expected an integer from 1"),
    "huge": ({"intermediate_size": 10**15}, "expected an integer from 1"),
    "eps": ({"layer_norm_eps": 0}, "layer_norm_eps: expected a number from 1e-30"),
    "rate": ({"hidden_dropout_prob": 1.5}, "expected a number from 0.0 to 1.0"),
    "heads": (
        {"num_attention_heads": 3},
        "config.json.hidden_size: expected a multiple of the 3 heads, found 16",
    ),
    "unknown": (
        {"layer_drop": 0.1},
        "config.json.'layer_drop': expected a field that is known of this family, found "
        "0.1; if it changes nothing: bx.from_hf(..., ignore=['layer_drop'])",
    ),
    "activation": (
        {"hidden_act": "__import__('os')"},
        "config.json.hidden_act: expected one of gelu, gelu_new",
    ),
    "escape": ({"hidden_act": "\x1b[31m\n"}, "found '\\x1b[31m\\n'"),
}


@pytest.mark.parametrize("case", CONFIGS)
def test_config(case: str, tmp_path: Path) -> None:
    change, wanted = CONFIGS[case]
    folder = copy(tmp_path, config=lambda c: c.update(change))
    if case == "architecture":  # sentence-transformers takes its part without a head
        (folder / "modules.json").unlink()
    (line,) = refused(folder, SpecError)
    assert wanted in line


def test_all_faults_of_a_config_in_one_error(tmp_path: Path) -> None:
    change = {"hidden_size": "16", "vocab_size": 0, "is_decoder": 1}
    lines = refused(copy(tmp_path, config=lambda c: c.update(change)), SpecError)
    assert [line.split(":")[0] for line in lines] == [
        "config.json.is_decoder",
        "config.json.vocab_size",
        "config.json.hidden_size",
    ]


@pytest.mark.parametrize(
    "text",
    ['{"a": 1, "a": 2}', '{"a": NaN}', '{"a": 1e999}', "[" * 3000, "", "[]", "\xff"],
)
def test_config_that_is_no_sound_json(text: str, tmp_path: Path) -> None:
    folder = copy(tmp_path)
    (folder / "config.json").write_bytes(text.encode("latin-1"))
    (line,) = refused(folder, SpecError)
    assert line.startswith("config.json: expected")


def test_no_config(tmp_path: Path) -> None:
    (line,) = refused(tmp_path, SpecError)
    assert line.startswith("config.json: expected a JSON object, found none; give the")


def test_pickles(tmp_path: Path) -> None:
    folder = copy(tmp_path)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    (line,) = refused(folder, WeightsError)
    assert line == (
        "expected model.safetensors, found 'pytorch_model.bin', which may run code; "
        "load and save it with transformers, safe_serialization=True"
    )
    (folder / "pytorch_model.bin").unlink()
    assert "found none" in refused(folder, WeightsError)[0]


def test_links_out_of_the_folder(tmp_path: Path) -> None:
    folder = copy(tmp_path / "model")
    for name, kind in (("config.json", BloxError), ("model.safetensors", WeightsError)):
        (folder / name).rename(tmp_path / name)
        (folder / name).symlink_to(tmp_path / name)
        assert "a link out of it" in refused(folder, kind)[0]
        (folder / name).unlink()
        (tmp_path / name).rename(folder / name)


def test_a_pipe_for_a_config(tmp_path: Path) -> None:
    folder = copy(tmp_path)
    (folder / "config.json").unlink()
    os.mkfifo(folder / "config.json")
    assert "a FIFO" in refused(folder, WeightsError)[0]


def test_differences_of_arrays_in_one_error(tmp_path: Path) -> None:
    def change(arrays: Arrays) -> Arrays:
        arrays["encoder.layer.3.output.dense.bias"] = np.zeros(16, np.float32)
        arrays["pooler.dense.weight"] = np.zeros((16, 15), np.float32)
        arrays["embeddings.LayerNorm.bias"] = np.zeros(16, np.int32)
        del arrays["encoder.layer.1.attention.self.query.bias"]
        return arrays

    assert refused(copy(tmp_path, arrays=change), WeightsError) == [
        "embeddings.LayerNorm.bias: expected dtype float, found int32; it becomes norm.bias",
        "encoder.layer.1.attention.self.query.bias: expected float[16], found no "
        "tensor; it becomes encoder.1.attention.query.bias",
        "pooler.dense.weight: expected shape [16, 16], found [16, 15]; it becomes "
        "pooler.kernel",
        "encoder.layer.3.output.dense.bias: expected no tensor here, found float32[16]",
    ]


def test_sizes_of_the_config_are_checked_before_anything_is_made(
    tmp_path: Path,
) -> None:
    huge = {"vocab_size": 2**24, "hidden_size": 2**20, "num_attention_heads": 1}
    lines = refused(copy(tmp_path, config=lambda c: c.update(huge)), BloxError)
    assert any("16777216" in line for line in lines)


def test_arrays_that_are_there_twice(tmp_path: Path) -> None:
    def change(arrays: Arrays) -> Arrays:
        return {**arrays, "bert.pooler.dense.bias": arrays["pooler.dense.bias"]}

    lines = refused(copy(tmp_path, arrays=change), WeightsError)
    assert "expected one tensor of this meaning" in lines[0]


def test_layers_of_unequal_dtypes(tmp_path: Path) -> None:
    """One dtype holds float16 and float32, none holds float16 and bfloat16."""
    half = "encoder.layer.1.output.dense.bias"

    def change(arrays: Arrays) -> Arrays:
        return {**arrays, half: arrays[half].astype(np.float16)}

    _, params = from_hf(copy(tmp_path / "a", arrays=change))
    assert params["encoder"]["down"]["bias"].dtype == np.float32
    folder = copy(tmp_path / "b")
    found = load_file(folder / "model.safetensors")
    mixed = {name: jnp.asarray(a, "bfloat16") for name, a in found.items()}
    mixed[half] = jnp.asarray(found[half], "float16")
    save_flat(folder, mixed, metadata={"format": "pt"}, stem="model")
    assert refused(folder, WeightsError) == [
        "encoder.down.bias: expected one dtype for all copies of one array, found "
        "bfloat16, float16; cast some of them"
    ]


def modules(*kinds: str, path: str = "1_Pooling") -> list[dict[str, str]]:
    paths = {"Pooling": path}
    return [{"type": f"x.{k}", "path": paths.get(k, "")} for k in kinds]


SENTENCES: dict[str, tuple[Any, Any, str]] = {
    "modules": (
        modules("Transformer", "Pooling", "Dropout"),
        {},
        "modules.json: expected Transformer, Pooling, Dense, Normalize, found "
        "'Transformer, Pooling, Dropout'; sentence=False imports the encoder alone",
    ),
    "no list": ({"a": 1}, {}, "modules.json: expected a list of modules"),
    "no object": ([1], {}, "modules.json: expected a list of modules"),
    "parent": (
        modules("Transformer", "Pooling", path=".."),
        {},
        "the plain name of a folder",
    ),
    "absolute": (
        modules("Transformer", "Pooling", path="/etc"),
        {},
        "the plain name of a folder",
    ),
    "nothing": (modules("Transformer", "Pooling", path="x"), {}, "expected"),
    "a mode": (None, {"pooling_mode": ["cls", "best"]}, "found ['cls', 'best']"),
    "no mode": (None, {}, "1_Pooling/config.json: expected some pooling of cls"),
    "no dense": (
        modules("Transformer", "Pooling", "Dense"),
        {"pooling_mode": "mean"},
        "modules.json.2.path: expected the plain name of a folder",
    ),
    "prompts": (
        None,
        {"pooling_mode": "mean", "include_prompt": False},
        "expected prompts to be pooled",
    ),
}


@pytest.mark.parametrize("case", SENTENCES)
def test_sentence_modules(case: str, tmp_path: Path) -> None:
    data, pooling, wanted = SENTENCES[case]
    folder = copy(tmp_path)
    if data is not None:
        (folder / "modules.json").write_text(json.dumps(data))
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    (line,) = refused(folder, BloxError)
    assert wanted in line
    from_hf(folder, sentence=False)


def test_a_pooling_folder_elsewhere(tmp_path: Path) -> None:
    folder = copy(tmp_path / "model")
    (folder / "1_Pooling").rename(tmp_path / "elsewhere")
    (folder / "1_Pooling").symlink_to(tmp_path / "elsewhere")
    (line,) = refused(folder, WeightsError)
    assert "found a link out of it" in line
