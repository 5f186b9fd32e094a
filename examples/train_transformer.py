"""Trains a small transformer on source code of Python, character by character.

    python examples/train_transformer.py [--output FOLDER] [--steps N] [--dtype bfloat16]

Its blocks are one `jax.lax.scan`, and are computed again for the gradients (`remat`), so
that compile time and memory don't grow with its depth. The run is in checkpoints: killed
at any moment, the same command goes on and ends with the same numbers. Writes to FOLDER
the checkpoints, the model, the picture of its losses and its Python file. The text is
`argparse.py`, which every Python has. Takes about 20 seconds on two cores; needs the
extra `train`.
"""

from __future__ import annotations

import argparse
import inspect
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from rich.progress import Progress

import blox as bx

BATCH, EVERY = 8, 50
PROMPT = "    def "


# --- The spec --------------------------------------------------------------------


def block(f: bx.F, x: bx.Value, *, heads: int) -> bx.Value:
    y = f.rms_norm("ln_1", x)
    attend = f.call("attn", bx.recipes.multi_head_attention)
    x = x + attend(y, heads=heads, causal=True, use_bias=False)
    y = f.rms_norm("ln_2", x)
    return x + f.call("mlp", bx.recipes.mlp)(
        y, hidden=4 * x.features, activation="gelu_tanh", use_bias=False
    )


def coder() -> bx.Graph:
    """tokens (batch, time), codes of ASCII -> logits (batch, time, 128)."""
    b = bx.GraphBuilder("coder", vocab=128, width=64, heads=4, depth=4, context=64)
    b.dim("time", max=b.context)

    @b.entry(tokens=bx.Input(["batch", "time"], "int32"))
    def main(f: bx.F, tokens: bx.Value) -> dict[str, bx.Value]:
        at = f.arange(tokens.shape[1])
        x = f.embed("wte", tokens, b.vocab, b.width)
        x = x + f.embed("wpe", at, b.context, b.width)
        blocks = f.repeat("blocks", block, count=b.depth, remat="nothing_saveable")
        x = f.rms_norm("norm", blocks(x, heads=b.heads))
        return {"logits": f.linear("head", x, b.vocab, use_bias=False)}

    return b.graph(license="MIT")


# --- The training ----------------------------------------------------------------


def source() -> np.ndarray[Any, Any]:
    """A text, (length,) codes of ASCII."""
    text = inspect.getsource(argparse)
    return np.frombuffer(text.encode("ascii", "ignore"), np.uint8).astype(np.int32)


def windows(
    text: np.ndarray[Any, Any], draw: np.random.Generator, size: int
) -> np.ndarray[Any, Any]:
    """Pieces of a text from random places, (batch, size)."""
    return text[draw.integers(0, len(text) - size, (BATCH, 1)) + np.arange(size)]


def train(
    graph: bx.Graph, folder: Path, steps: int, dtype: str
) -> tuple[Any, dict[str, Any]]:
    """The Params, in float32 whatever is computed in, and the record of the training."""
    model = bx.build(graph, dtype=dtype)
    size = graph.attributes["context"] + 1
    text = source()
    seen, other = np.split(text, [len(text) * 9 // 10])
    held = windows(other, np.random.default_rng(1), size)
    rate = optax.warmup_cosine_decay_schedule(0.0, 5e-3, steps // 10, steps)
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(rate))

    def loss(params: Any, rows: Any) -> jax.Array:
        logits, _ = model(params, rows[:, :-1])
        return optax.softmax_cross_entropy_with_integer_labels(
            logits.astype("float32"), rows[:, 1:]
        ).mean()

    @jax.jit
    def update(state: dict[str, Any], rows: Any) -> tuple[dict[str, Any], jax.Array]:
        value, grads = jax.value_and_grad(loss)(state["params"], rows)
        updates, moments = optimizer.update(grads, state["moments"], state["params"])
        params = optax.apply_updates(state["params"], updates)
        return {"params": params, "moments": moments}, value

    checked = jax.jit(loss)
    params = bx.init(graph, jax.random.key(0))
    state = {"params": params, "moments": optimizer.init(params)}
    draw = np.random.default_rng(0)
    # The generator that draws the windows is the position in the data.
    record = {"losses": [], "checked": [], "draw": draw.bit_generator.state}
    with bx.Checkpoints(folder, graph, every=EVERY) as checkpoints, Progress() as bar:
        start, state, record = checkpoints.restore(state, record)
        draw.bit_generator.state = record["draw"]
        shown = bar.add_task("coder", total=steps, completed=start)
        for step in range(start + 1, steps + 1):
            state, value = update(state, windows(seen, draw, size))
            record["losses"].append(float(value))
            bar.update(shown, advance=1, description=f"loss {float(value):.3f}")
            if step % EVERY == 0 or step == steps:
                value = float(checked(state["params"], held))
                record["checked"].append([step, value])
                record["draw"] = draw.bit_generator.state
                checkpoints.save(step, state, record)
    return state["params"], record


def written(graph: bx.Graph, params: Any, prompt: str, count: int) -> str:
    """The prompt, and characters drawn one by one behind it."""
    model = bx.build(graph)
    context = graph.attributes["context"]

    @jax.jit
    def following(codes: jax.Array, length: jax.Array, key: jax.Array) -> jax.Array:
        logits, _ = model(params, codes[None])
        return jax.random.categorical(key, logits[0, length - 1])

    codes = list(prompt.encode())
    for key in jax.random.split(jax.random.key(0), count):
        last = codes[-context:]
        padded = jnp.array(last + [0] * (context - len(last)))
        codes.append(int(following(padded, len(last), key)))
    return bytes(codes).decode()


def plot(file: Path, record: dict[str, Any]) -> None:
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    axes.plot(record["losses"], lw=0.5, label="a batch of training")
    axes.plot(*zip(*record["checked"], strict=True), label="text not trained on")
    axes.set(xlabel="step", ylabel="nats a character")
    axes.legend()
    figure.savefig(file)


def main() -> None:
    parser = argparse.ArgumentParser(description="Trains a transformer on source code.")
    parser.add_argument("--output", type=Path, default=Path("coder"))
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--dtype", default="float32", help="that is computed in")
    options = parser.parse_args()
    folder = options.output

    graph = coder()
    params, record = train(graph, folder / "checkpoints", options.steps, options.dtype)
    _, loss = record["checked"][-1]
    print(f"{loss:.3f} nats a character of text that it has not seen")
    print(written(graph, params, PROMPT, 200))

    bx.save(folder / "model", graph, params)
    (folder / "coder.py").write_text(bx.generate(graph))
    plot(folder / "losses.png", record)
    print(f"{folder}: model, coder.py, losses.png")


if __name__ == "__main__":
    main()
