"""Trains a small Mamba to write the Zen of Python, saves it, loads it, and lets it write.

    python examples/write_characters.py [--output FOLDER] [--steps N]

The model has two entries with the same parameters: `main` reads whole sequences, `step`
one character more, from a state of fixed size. The text is PEP 20, by Tim Peters, in the
public domain, which every Python has. Takes about 15 seconds on two cores; needs the extra
`train`.
"""

from __future__ import annotations

import argparse
import codecs
import contextlib
import io
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import blox as bx

BATCH, TIME = 8, 48
STATE, SEEN = 8, 3
"""Numbers that a feature keeps, and steps that a convolution sees before its own."""
PROMPT = "Beautiful is "


# --- The spec --------------------------------------------------------------------


def block(f: bx.F, x: bx.Value) -> bx.Value:
    return x + f.call("mamba", bx.recipes.mamba)(
        f.rms_norm("norm", x), state_size=STATE
    )


def block_step(
    f: bx.F, x: bx.Value, window: bx.Value, h: bx.Value
) -> dict[str, bx.Value]:
    run = f.call("mamba", bx.recipes.mamba_step)
    out = run(f.rms_norm("norm", x), window, h)
    return {"x": x + out["y"], "windows": out["window"], "states": out["h"]}


def writer(vocab: int) -> bx.Graph:
    """tokens (batch, time) -> logits (batch, time, vocab); `step` takes them one by one."""
    b = bx.GraphBuilder("writer", vocab=vocab, width=32, depth=2)

    @b.entry(tokens=bx.Input(["batch", "time"], "int32"))
    def main(f: bx.F, tokens: bx.Value) -> dict[str, bx.Value]:
        x = f.embed("embed", tokens, b.vocab, b.width)
        x = f.repeat("blocks", block, count=b.depth)(x)
        return {"logits": f.unembed("head", f.rms_norm("norm", x), params="embed")}

    @b.entry(
        tokens=bx.Input(["batch", 1], "int32"),
        windows=bx.Input([b.depth, "batch", SEEN, 2 * b.width]),
        states=bx.Input([b.depth, "batch", 2 * b.width, STATE]),
    )
    def step(
        f: bx.F, tokens: bx.Value, windows: bx.Value, states: bx.Value
    ) -> dict[str, Any]:
        x = f.embed("embed", tokens, b.vocab, b.width)
        run = f.repeat("blocks", block_step, count=b.depth)
        out = run(x, bx.slices(windows), bx.slices(states))
        y = f.rms_norm("norm", out["x"])
        return {
            "logits": f.unembed("head", y, params="embed"),
            "windows": bx.output(out["windows"], next="windows"),
            "states": bx.output(out["states"], next="states"),
        }

    return b.graph(description="Writes the Zen of Python.", license="MIT")


# --- Training and writing ---------------------------------------------------------


def zen() -> str:
    with contextlib.redirect_stdout(io.StringIO()):
        import this
    return codecs.decode(this.s, "rot13")


def train(graph: bx.Graph, text: np.ndarray[Any, Any], steps: int) -> dict[str, Any]:
    """Params that foretell each character of text (length,) from those before."""
    model = bx.build(graph)
    optimizer = optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.adamw(optax.cosine_onecycle_schedule(steps, 1e-2)),
    )

    @jax.jit
    def step(params: Any, moments: Any, rows: Any) -> Any:
        def loss(params: Any) -> Any:
            logits, _ = model(params, rows[:, :-1])
            return optax.softmax_cross_entropy_with_integer_labels(
                logits, rows[:, 1:]
            ).mean()

        value, grads = jax.value_and_grad(loss)(params)
        updates, moments = optimizer.update(grads, moments, params)
        return optax.apply_updates(params, updates), moments, value

    params = bx.init(graph, jax.random.key(0))
    moments, value = optimizer.init(params), jnp.inf
    starts = np.random.default_rng(0)
    for _ in range(steps):
        at = starts.integers(0, len(text) - TIME, (BATCH, 1)) + np.arange(TIME + 1)
        params, moments, value = step(params, moments, text[at])
    print(f"{steps} steps: {float(value):.3f} nats a character")
    return params


def write(graph: bx.Graph, params: Any, letters: str, prompt: str, count: int) -> str:
    """The prompt, and the likeliest characters behind it."""
    step = jax.jit(bx.build(graph, entry="step"))
    depth, inner = graph.attributes["depth"], 2 * graph.attributes["width"]
    windows, states = (
        jnp.zeros((depth, 1, SEEN, inner)),
        jnp.zeros((depth, 1, inner, STATE)),
    )
    text = prompt
    for i in range(len(prompt) + count - 1):
        token = jnp.array([[letters.index(text[i])]])
        out, _ = step(params, token, windows, states)
        windows, states = out["windows"], out["states"]
        if i >= len(prompt) - 1:
            text += letters[int(out["logits"].argmax())]
    return text


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Trains a Mamba to write the Zen of Python."
    )
    parser.add_argument("--output", type=Path, default=Path("writer"))
    parser.add_argument("--steps", type=int, default=200)
    options = parser.parse_args()

    text = zen()
    letters = "".join(sorted(set(text)))
    graph = writer(len(letters))
    params = train(graph, np.array([letters.index(c) for c in text]), options.steps)

    bx.save(options.output, graph, params)
    print(f"{options.output}: written; next: blox show {options.output}")
    loaded, arrays = bx.load(options.output)
    print(write(loaded, arrays, letters, PROMPT, 60))


if __name__ == "__main__":
    main()
