"""Makes `tests/hf/tiny_bert`, a random BERT of transformers, and what it computes.

    python tests/parity/hf/make_tiny_bert.py      # needs the extra `parity`

So that the default tests compare with transformers without having it. The folder is
committed; the numbers change with the version of torch, in their last digits.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
import transformers
from safetensors.numpy import save_file

FOLDER = Path(__file__).parents[2] / "hf" / "tiny_bert"


def main() -> None:
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=48,
        hidden_size=16,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=24,
        max_position_embeddings=12,
        type_vocab_size=2,
        layer_norm_eps=1e-7,
        initializer_range=0.3,
    )
    model = transformers.BertModel(config).eval()
    for name, value in model.named_parameters():  # biases and scales start trivial
        if name.endswith("bias") or "LayerNorm" in name:
            torch.nn.init.normal_(value, mean=value.mean().item(), std=0.2)
    model.save_pretrained(FOLDER)
    write(FOLDER / "modules.json", modules())
    (FOLDER / "1_Pooling").mkdir(exist_ok=True)
    pooling = {"word_embedding_dimension": 16, "pooling_mode_mean_tokens": True}
    write(FOLDER / "1_Pooling" / "config.json", pooling)
    write(FOLDER / "sentence_bert_config.json", {"max_seq_length": 10})

    rng = np.random.default_rng(0)
    inputs = {
        "input_ids": rng.integers(0, 48, (4, 9)),
        "attention_mask": (np.arange(9) < np.array([[9], [6], [1], [8]])).astype(int),
        "token_type_ids": rng.integers(0, 2, (4, 9)),
        "position_ids": rng.permuted(np.tile(np.arange(9), (4, 1)), axis=1),
    }
    expected = {name: value.astype(np.int32) for name, value in inputs.items()}
    tensors = {name: torch.tensor(value) for name, value in inputs.items()}
    with torch.no_grad():
        expected |= outputs(model, "plain", {"input_ids": tensors["input_ids"]})
        expected |= outputs(model, "full", tensors)
        del tensors["position_ids"]
        expected |= outputs(model, "padded", tensors)
        expected |= outputs(model.double(), "double", tensors)
    save_file(expected, FOLDER / "expected.safetensors")


def outputs(
    model: torch.nn.Module, prefix: str, inputs: dict[str, torch.Tensor]
) -> dict[str, np.ndarray]:
    found = model(**inputs)
    x = found.last_hidden_state
    present = inputs.get("attention_mask", torch.ones(x.shape[:2]))[..., None]
    pooled = (x * present).sum(1) / present.sum(1).clamp(min=1e-9)
    result = {
        "last_hidden_state": x,
        "pooler_output": found.pooler_output,
        "sentence_embedding": torch.nn.functional.normalize(pooled, dim=-1),
    }
    return {f"{prefix}.{name}": value.numpy() for name, value in result.items()}


def modules() -> list[dict[str, object]]:
    kinds = {"Transformer": "", "Pooling": "1_Pooling", "Normalize": "2_Normalize"}
    return [
        {
            "idx": i,
            "name": str(i),
            "path": path,
            "type": f"sentence_transformers.models.{k}",
        }
        for i, (k, path) in enumerate(kinds.items())
    ]


def write(path: Path, data: object) -> None:
    path.write_text(json.dumps(data, indent=2) + "\n")


if __name__ == "__main__":
    main()
