"""Small random models of every kind that can be imported, against transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
import torch
from parity.hf.references import error, outputs

import blox as bx
from blox.importers.hf import from_hf, to_hf
from blox.importers.hf.parts.activations import ACTIVATIONS

pytestmark = pytest.mark.parity

SMALL: dict[str, Any] = {
    "vocab_size": 61,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 40,
    "max_position_embeddings": 20,
    "initializer_range": 0.2,
}
CASES: dict[str, dict[str, Any]] = {
    **{act: {"hidden_act": act} for act in ACTIVATIONS},
    "one layer": {"num_hidden_layers": 1},
    "eleven layers": {"num_hidden_layers": 11},
    "one head": {"num_attention_heads": 1},
    "heads of one": {"num_attention_heads": 24},
    "one type": {"type_vocab_size": 1},
    "five types": {"type_vocab_size": 5},
    "large eps": {"layer_norm_eps": 1e-2},
    "short": {"max_position_embeddings": 7},
    "padding": {"pad_token_id": 3},
}


def made(**changes: Any) -> Any:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    pooler = changes.pop("pooler", True)
    config = transformers.BertConfig(**{**SMALL, **changes})
    model = transformers.BertModel(config, add_pooling_layer=pooler).eval()
    for name, value in model.named_parameters():
        if name.endswith("bias") or "LayerNorm" in name:
            torch.nn.init.normal_(value, mean=value.mean().item(), std=0.2)
    return model


def some_inputs(config: Any) -> dict[str, np.ndarray[Any, Any]]:
    rng = np.random.default_rng(0)
    seq = min(13, config.max_position_embeddings)
    shape = (4, seq)
    return {
        "input_ids": rng.integers(0, config.vocab_size, shape).astype(np.int32),
        "attention_mask": (np.arange(seq) < rng.integers(1, seq + 1, (4, 1))).astype(
            np.int32
        ),
        "token_type_ids": rng.integers(0, config.type_vocab_size, shape).astype(
            np.int32
        ),
    }


@pytest.mark.parametrize("case", CASES)
def test_outputs_and_export(case: str, tmp_path: Path) -> None:
    model = made(**CASES[case])
    model.save_pretrained(tmp_path / "theirs")
    graph, params = from_hf(tmp_path / "theirs")
    inputs = some_inputs(model.config)
    found, _ = jax.jit(bx.build(graph))(params, **inputs)
    theirs = outputs(model, inputs, torch.float32)
    exact = outputs(model, inputs, torch.float64)
    for name, value in theirs.items():
        assert error(found[name], value) <= 2e-5
        # Errors of a few roundings of numbers near 1 scatter: an absolute floor.
        assert error(found[name], exact[name]) <= max(
            2 * error(value, exact[name]), 2e-6
        )

    to_hf(tmp_path / "ours", graph, params)
    again, report = type(model).from_pretrained(
        tmp_path / "ours", output_loading_info=True
    )
    assert not any(report.values())
    assert again.config.to_diff_dict() == model.config.to_diff_dict()
    for name, value in model.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name


def test_without_pooler(tmp_path: Path) -> None:
    model = made(pooler=False)
    model.save_pretrained(tmp_path)
    graph, params = from_hf(tmp_path)
    inputs = some_inputs(model.config)
    found, _ = jax.jit(bx.build(graph))(params, **inputs)
    wanted = outputs(model, inputs, torch.float32)
    assert list(wanted) == ["last_hidden_state"]
    assert error(found, wanted["last_hidden_state"]) <= 2e-5


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision(dtype: torch.dtype, tmp_path: Path) -> None:
    model = made().to(dtype)
    model.save_pretrained(tmp_path / "theirs")
    graph, params = from_hf(tmp_path / "theirs")
    to_hf(tmp_path / "ours", graph, params)
    again = type(model).from_pretrained(tmp_path / "ours", dtype="auto")
    assert again.dtype == dtype
    for name, value in model.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name


def test_other_heads_are_refused_by_name_and_the_encoder_taken_out(
    tmp_path: Path,
) -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(**SMALL, is_decoder=False)
    model = transformers.BertLMHeadModel(config).eval()
    model.save_pretrained(tmp_path)
    with pytest.raises(bx.SpecError, match="found 'BertLMHeadModel'"):
        from_hf(tmp_path)
    # What the error says to do.
    graph, params = from_hf(tmp_path, architecture="BertModel")
    inputs = some_inputs(model.config)
    found, _ = jax.jit(bx.build(graph))(params, **inputs)
    wanted = outputs(model.bert, inputs, torch.float32)
    assert error(found, wanted["last_hidden_state"]) <= 2e-5


def test_other_families_are_refused_by_name(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    transformers.VitsConfig().save_pretrained(tmp_path)
    with pytest.raises(
        bx.SpecError, match=r"model_type: expected one of .* found 'vits'"
    ):
        from_hf(tmp_path)
