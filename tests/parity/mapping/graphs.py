"""One CNN, one LSTM, one transformer as Graphs, and what a case of a library consists of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

import blox as bx

RNG = np.random.default_rng(0)
PIXELS = RNG.normal(size=(2, 8, 6, 3)).astype(np.float32)
TOKENS = RNG.integers(20, size=(2, 7)).astype(np.int32)
WORDS, WIDTH, UNITS, HEADS, DEPTH = 20, 8, 5, 2, 3


@dataclass(frozen=True)
class Case:
    """A model of a library beside ours.

    Attributes:
        graph: ours.
        rules: the table between the two.
        tree: the arrays of theirs, as `bx.map_params` takes them.
        wanted: what theirs gives for PIXELS or TOKENS.
    """

    graph: bx.Graph
    rules: list[Any]
    tree: Any
    wanted: Any


def shaken(array: Any) -> Any:
    """An array with other numbers, so that none is 0 or 1; variances stay positive."""
    array = np.asarray(array)
    if not np.issubdtype(array.dtype, np.floating):
        return array
    lowest = -0.15 if array.min() < 0 else 0.05
    return array + RNG.uniform(lowest, lowest + 0.3, array.shape).astype(array.dtype)


def rules_of_heads(theirs: str, out: str = "out") -> list[bx.Rule]:
    """Attention whose heads lie on an axis of their own there.

    Args:
        theirs: what its names begin with.
        out: what its output is called.
    """
    ours, rearrange = "blocks.{i}.attn.", bx.layouts.Rearrange
    behind, before = "h d o -> (h d) o", "i h d -> i (h d)"
    return [
        bx.Rule(
            f"{ours}out.kernel", f"{theirs}{out}.kernel", rearrange(behind, h=HEADS)
        ),
        bx.Rule(f"{ours}out.bias", f"{theirs}{out}.bias"),
        bx.Rule(
            f"{ours}{{n}}.kernel", f"{theirs}{{n}}.kernel", rearrange(before, h=HEADS)
        ),
        bx.Rule(
            f"{ours}{{n}}.bias",
            f"{theirs}{{n}}.bias",
            rearrange("h d -> (h d)", h=HEADS),
        ),
    ]


def cnn(eps: float = 1e-5) -> bx.Graph:
    b = bx.GraphBuilder("cnn")

    @b.entry(x=bx.Input(["batch", 8, 6, 3]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        x = f.conv("conv", x, 4, [3, 3], padding=[[1, 1], [1, 1]])
        x = f.relu(f.batch_norm("norm", x, eps=eps))
        return f.linear("out", f.reshape(x, (x.shape[0], 8 * 6 * 4)), 10)

    return b.graph()


def lstm() -> bx.Graph:
    """By the recipe: one bias, gates i, f, g, o."""
    b = bx.GraphBuilder("tagger")

    @b.entry(tokens=bx.Input(["batch", "time"], "int32"))
    def main(f: bx.F, tokens: bx.Value) -> bx.Value:
        x = f.embed("embed", tokens, WORDS, WIDTH)
        x = f.call("lstm", bx.recipes.lstm)(x, units=UNITS)["y"]
        return f.linear("out", x, 3)

    return b.graph()


def own_lstm(cell: Any) -> bx.Graph:
    """By a cell of one's own, where a library has other arrays than the recipe."""
    b = bx.GraphBuilder("tagger")

    @b.entry(tokens=bx.Input(["batch", "time"], "int32"))
    def main(f: bx.F, tokens: bx.Value) -> bx.Value:
        x = f.embed("embed", tokens, WORDS, WIDTH)
        start = f.zeros([x.shape[0], UNITS])
        x = f.scan("lstm", cell, axis=1)(start, start, bx.slices(x))["y"]
        return f.linear("out", x, 3)

    return b.graph()


def transformer(activation: Any = "gelu_tanh", eps: float = 1e-5) -> bx.Graph:
    """Blocks in a scanned repeat, and a head that is the embedding."""
    b = bx.GraphBuilder("transformer")

    @b.entry(tokens=bx.Input(["batch", "time"], "int32"))
    def main(f: bx.F, tokens: bx.Value) -> bx.Value:
        x = f.embed("embed", tokens, WORDS, WIDTH)
        block = f.repeat("blocks", bx.recipes.transformer_block, count=DEPTH)
        options = {"activation": activation, "eps": eps}
        x = block(x, heads=HEADS, hidden=16, **options)
        return f.unembed("head", f.layer_norm("norm", x, eps=eps), params="embed")

    return b.graph()
