"""Fine-tunes a sentence encoder by LoRA and a head, from its checkpoint and back to one.

    python examples/finetune_lora.py [FOLDER] [--output FOLDER] [--steps N]

FOLDER is a checkpoint of transformers of the BERT family, with the `modules.json` of
sentence-transformers, such as all-MiniLM-L6-v2. Without one a tiny BERT of random numbers
shows the way and learns little. Only LoRA and head are trained, and only they are in the
checkpoints of the run; in the end LoRA is merged into the kernels. Writes to `--output`
the model, the picture of its losses, its Python file, and the encoder for transformers.
Takes about 20 seconds on two cores with MiniLM; needs the extra `train`, and
`pip install tokenizers` where FOLDER has a `tokenizer.json`.
"""

from __future__ import annotations

import argparse
import zlib
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from rich.progress import Progress

import blox as bx

TINY = Path(__file__).parents[1] / "tests" / "hf" / "tiny_bert"
TEXTS = {
    "complaint": (
        "My parcel arrived with the box torn open.",
        "I have been waiting three weeks for a refund.",
        "The screen went black after two days.",
        "Nobody answers the phone at your office.",
        "You charged me twice for the same ticket.",
        "The room was dirty and far too loud.",
        "This jacket lost its colour in the first wash.",
        "The driver left without ringing the bell.",
        "Half of the screws were missing.",
        "Your app logs me out every time I open it.",
    ),
    "praise": (
        "What a lovely little restaurant, we will be back.",
        "The new version is fast and a joy to use.",
        "Your colleague solved my problem in a minute.",
        "Best headphones that I ever had.",
        "Delivery was a day early, thank you!",
        "The bed was soft and the view was wonderful.",
        "These boots kept my feet dry all winter.",
        "A clear manual, everything worked at once.",
        "My children love the puzzle.",
        "The staff were friendly and patient with us.",
    ),
    "question": (
        "Does this lamp come with a bulb?",
        "When do you open on public holidays?",
        "Can I change the address of my order?",
        "Which size should I take if I am 180 tall?",
        "Is breakfast part of the price?",
        "How do I reset my password?",
        "Do you ship to Norway?",
        "What is the difference between the two models?",
        "Where can I see my invoices?",
        "Is there a discount for students?",
    ),
}
SEEN = 7
"""Texts of each kind to train on; the others are the test."""


# --- The spec --------------------------------------------------------------------


def classifier(encoder: bx.Graph) -> bx.Graph:
    """ids, mask (batch, seq) -> logits (batch, kinds)."""
    b = bx.GraphBuilder("classifier", kinds=len(TEXTS))
    base = b.include(encoder)
    tokens = bx.Input(["batch", "seq"], "int32")

    @b.entry(ids=tokens, mask=tokens)
    def main(f: bx.F, ids: bx.Value, mask: bx.Value) -> dict[str, bx.Value]:
        x = f.call("encoder", base.sentence_embedding)(ids, mask)
        return {"logits": f.linear("head", x, b.kinds)}

    return b.graph(extra={"kinds": list(TEXTS)})


def with_lora(graph: bx.Graph) -> bx.Edit:
    """LoRA on queries and values; what is trained is LoRA and the head."""
    edit = bx.edit(graph).lora("*.query", "*.value", rank=8, alpha=16)
    return edit.train("head")


# --- The training ----------------------------------------------------------------


def tokenised(folder: Path, texts: list[str], encoder: bx.Graph) -> tuple[Any, Any]:
    """ids and mask of the texts, (batch, seq) int32."""
    limit = min(encoder.attributes["context"], 24)
    if (folder / "tokenizer.json").exists():
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.enable_truncation(limit)
        tokenizer.enable_padding(length=limit)
        rows = tokenizer.encode_batch(texts)
        ids, mask = [row.ids for row in rows], [row.attention_mask for row in rows]
        return np.array(ids, np.int32), np.array(mask, np.int32)
    ids = np.zeros((len(texts), limit), np.int32)
    for row, text in zip(ids, texts, strict=True):
        for i, word in enumerate(text.lower().split()[:limit]):
            row[i] = 1 + zlib.crc32(word.encode()) % (encoder.attributes["vocab"] - 1)
    return ids, (ids > 0).astype(np.int32)


def train(
    graph: bx.Graph, params: Any, folder: Path, steps: int, *data: Any
) -> tuple[Any, list[float]]:
    """Params that fit ids, mask and labels, where they are not frozen; the losses."""
    model = bx.build(graph)
    trainable, rest = bx.split(graph, params)
    optimizer = optax.adamw(optax.cosine_decay_schedule(5e-3, steps))

    @jax.jit
    def update(state: dict[str, Any], ids: Any, mask: Any, labels: Any) -> Any:
        def loss(trainable: Any) -> jax.Array:
            logits, _ = model(bx.merge(trainable, rest), ids, mask)
            return optax.softmax_cross_entropy_with_integer_labels(
                logits, labels
            ).mean()

        value, grads = jax.value_and_grad(loss)(state["trainable"])
        updates, moments = optimizer.update(grads, state["moments"], state["trainable"])
        trainable = optax.apply_updates(state["trainable"], updates)
        return {"trainable": trainable, "moments": moments}, value

    count, total = (
        sum(a.size for a in jax.tree.leaves(t)) for t in (trainable, params)
    )
    print(f"{count:,} of {total:,} numbers are trained")
    state = {"trainable": trainable, "moments": optimizer.init(trainable)}
    record: dict[str, Any] = {"losses": []}
    with bx.Checkpoints(folder, graph, every=10) as checkpoints, Progress() as bar:
        start, state, record = checkpoints.restore(state, record)
        shown = bar.add_task("classifier", total=steps, completed=start)
        for step in range(start + 1, steps + 1):
            state, value = update(state, *data)
            record["losses"].append(float(value))
            bar.update(shown, advance=1, description=f"loss {float(value):.3f}")
            checkpoints.save(step, state, record)
    return bx.merge(state["trainable"], rest), record["losses"]


def plot(file: Path, losses: list[float]) -> None:
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    axes.plot(range(1, len(losses) + 1), losses)
    axes.set(xlabel="step", ylabel="loss", yscale="log")
    figure.savefig(file)


def main() -> None:
    parser = argparse.ArgumentParser(description="Fine-tunes an encoder by LoRA.")
    parser.add_argument("checkpoint", nargs="?", type=Path, default=TINY)
    parser.add_argument("--output", type=Path, default=Path("classifier"))
    parser.add_argument("--steps", type=int, default=40)
    options = parser.parse_args()
    folder = options.output

    encoder, weights = bx.from_hf(options.checkpoint, name="encoder")
    graph = classifier(encoder)
    params = bx.init(graph, jax.random.key(0), given={"encoder": weights})
    tuned = with_lora(graph)
    params = tuned.carry_over(params, key=jax.random.key(1))

    texts = [text for kind in TEXTS.values() for text in kind]
    ids, mask = tokenised(options.checkpoint, texts, encoder)
    labels = np.repeat(np.arange(len(TEXTS)), [len(kind) for kind in TEXTS.values()])
    seen = np.concatenate([np.arange(len(kind)) < SEEN for kind in TEXTS.values()])
    data = ids[seen], mask[seen], labels[seen]
    params, losses = train(
        tuned.graph, params, folder / "checkpoints", options.steps, *data
    )

    merge = bx.edit(tuned.graph).merge_lora()
    whole = merge.carry_over(params)
    logits, _ = jax.jit(bx.build(graph))(whole, ids, mask)
    before, _ = jax.jit(bx.build(tuned.graph))(params, ids, mask)
    right = float(np.mean(np.argmax(logits[~seen], -1) == labels[~seen]))
    print(
        f"{right:.0%} of new texts are right; merged, logits differ by at most ", end=""
    )
    print(f"{float(jnp.abs(logits - before).max()):.1e}")

    bx.save(folder / "model", graph, whole)
    bx.to_hf(folder / "encoder", encoder, whole["encoder"])
    (folder / "classifier.py").write_text(bx.generate(graph))
    plot(folder / "losses.png", losses)
    print(f"{folder}: model, encoder, classifier.py, losses.png")


if __name__ == "__main__":
    main()
