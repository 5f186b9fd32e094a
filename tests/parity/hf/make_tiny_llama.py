"""Makes `tests/hf/tiny_llama`, a random Llama of transformers, and what it writes.

    python tests/parity/hf/make_tiny_llama.py      # needs the extra `parity`

So that the default tests compare with transformers without having it. The folder is
committed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers

FOLDER = Path(__file__).parents[2] / "hf" / "tiny_llama"
PROMPTS = [[5, 6, 7, 8], [9, 10, 11, 12, 13, 14, 15], [20]]
ENDS = [2, 7, 9]
SETTINGS: list[dict[str, Any]] = [
    {"max_new_tokens": 24},
    {"max_new_tokens": 24, "repetition_penalty": 1.7},
    {"max_new_tokens": 24, "no_repeat_ngram_size": 2},
    {"max_new_tokens": 16, "min_new_tokens": 5, "eos_token_id": ENDS},
    {"max_new_tokens": 12, "num_beams": 4},
    {"max_new_tokens": 12, "num_beams": 3, "length_penalty": 2.0, "eos_token_id": ENDS},
    {"max_new_tokens": 12, "num_beams": 3, "early_stopping": True, "eos_token_id": ENDS},
    {"max_new_tokens": 12, "num_beams": 4, "early_stopping": "never",
     "no_repeat_ngram_size": 3, "eos_token_id": ENDS},
]  # fmt: skip


def main() -> None:
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=32,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=48,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )
    model = transformers.LlamaForCausalLM(config).eval()
    with torch.no_grad():
        for value in model.parameters():
            value.add_(0.4 * torch.randn_like(value))
    model.save_pretrained(FOLDER)
    words = {f"w{i}": i for i in range(32)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="w0"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(FOLDER / "tokenizer.json"))
    expected = []
    for settings in SETTINGS:
        ends = settings.get("eos_token_id", [2])
        rows = [written(model, prompt, ends, settings) for prompt in PROMPTS]
        expected.append({"settings": settings, "rows": rows})
    data = {"prompts": PROMPTS, "expected": expected}
    (FOLDER / "expected.json").write_text(json.dumps(data, indent=1) + "\n")


def written(model: Any, prompt: list[int], ends: list[int], settings: Any) -> list[int]:
    """What comes after a prompt, to the id that ends it."""
    ids = torch.tensor([prompt])
    mask = torch.ones_like(ids)
    found = model.generate(ids, attention_mask=mask, do_sample=False, **settings)
    row: list[int] = found[0, len(prompt) :].tolist()
    stop = next((i for i, token in enumerate(row) if token in ends), len(row))
    return row[: stop + 1]


if __name__ == "__main__":
    main()
