"""The tagger of docs/convert.md in NumPy, by the formulas in PyTorch's documentation.

It stands in for the block of the page that needs torch: the same files with the names and
layouts of `state_dict()`. `tests/parity/test_convert.py` holds it against PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

State = Mapping[str, Any]
WIDTH, DEPTH, HEADS = 16, 2, 4


def write_files(folder: Path) -> None:
    """`tagger.npz` and `example.npz` of random numbers."""
    rng = np.random.default_rng(3)
    state: dict[str, Any] = {n: rng.normal(0.0, 0.3, s) for n, s in shapes().items()}
    state["norm.running_var"] = np.square(state["norm.running_var"]) + 0.5
    state = {name: array.astype(np.float32) for name, array in state.items()}
    state["norm.num_batches_tracked"] = np.array(1, np.int64)
    tokens = rng.integers(50, size=(2, 9)).astype(np.int32)
    scores = tagger(state, tokens).astype(np.float32)
    np.savez(folder / "tagger.npz", **state)
    np.savez(folder / "example.npz", tokens=tokens, scores=scores)


def shapes() -> dict[str, tuple[int, ...]]:
    """Of the arrays of the state_dict, in its order and without the count of batches."""
    w = WIDTH
    found: dict[str, tuple[int, ...]] = {
        "embedding.weight": (50, w), "conv.weight": (w, w, 3),
        "norm.weight": (w,), "norm.bias": (w,),
        "norm.running_mean": (w,), "norm.running_var": (w,),
        "lstm.weight_ih_l0": (4 * w, w), "lstm.weight_hh_l0": (4 * w, w),
        "lstm.bias_ih_l0": (4 * w,), "lstm.bias_hh_l0": (4 * w,),
    }  # fmt: skip
    for i in range(DEPTH):
        layer = {
            "self_attn.in_proj_weight": (3 * w, w), "self_attn.in_proj_bias": (3 * w,),
            "self_attn.out_proj.weight": (w, w), "self_attn.out_proj.bias": (w,),
            "linear1.weight": (4 * w, w), "linear1.bias": (4 * w,),
            "linear2.weight": (w, 4 * w), "linear2.bias": (w,),
            "norm1.weight": (w,), "norm1.bias": (w,),
            "norm2.weight": (w,), "norm2.bias": (w,),
        }  # fmt: skip
        found |= {f"layers.{i}.{name}": shape for name, shape in layer.items()}
    return {**found, "out.weight": (5, w), "out.bias": (5,)}


def tagger(state: State, tokens: Any) -> Any:
    """(batch, time) integer -> (batch, time, tags), in float64."""
    s = {name: np.asarray(array, np.float64) for name, array in state.items()}
    x = s["embedding.weight"][tokens].transpose(0, 2, 1)
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1)))
    windows = np.stack([padded[:, :, i : i + x.shape[2]] for i in range(3)])
    x = np.einsum("kbit,oik->bot", windows, s["conv.weight"])
    mean, var = s["norm.running_mean"][:, None], s["norm.running_var"][:, None]
    x = (x - mean) / np.sqrt(var + 1e-5)
    x = x * s["norm.weight"][:, None] + s["norm.bias"][:, None]
    x = lstm(s, np.maximum(x, 0.0).transpose(0, 2, 1))
    for i in range(DEPTH):
        lead = f"layers.{i}."
        own = {n.removeprefix(lead): a for n, a in s.items() if n.startswith(lead)}
        x = x + attention(own, layer_norm(own, "norm1", x))
        h = linear(own, "linear1", layer_norm(own, "norm2", x))
        h = h * 0.5 * (1.0 + np.vectorize(math.erf)(h / math.sqrt(2.0)))
        x = x + linear(own, "linear2", h)
    return linear(s, "out", x)


def linear(s: State, name: str, x: Any) -> Any:
    return x @ s[f"{name}.weight"].T + s[f"{name}.bias"]


def layer_norm(s: State, name: str, x: Any) -> Any:
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    return x * s[f"{name}.weight"] + s[f"{name}.bias"]


def sigmoid(x: Any) -> Any:
    return 1.0 / (1.0 + np.exp(-x))


def lstm(s: State, x: Any) -> Any:
    h = c = np.zeros((x.shape[0], WIDTH))
    ys = []
    for t in range(x.shape[1]):
        gates = x[:, t] @ s["lstm.weight_ih_l0"].T + s["lstm.bias_ih_l0"]
        gates = gates + h @ s["lstm.weight_hh_l0"].T + s["lstm.bias_hh_l0"]
        i, f, g, o = np.split(gates, 4, -1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        ys.append(h)
    return np.stack(ys, 1)


def attention(s: State, x: Any) -> Any:
    fused = x @ s["self_attn.in_proj_weight"].T + s["self_attn.in_proj_bias"]
    split = fused.reshape(*x.shape[:2], 3, HEADS, WIDTH // HEADS)
    q, k, v = split.transpose(2, 0, 3, 1, 4)
    scores = np.exp(q @ k.swapaxes(-1, -2) / math.sqrt(WIDTH // HEADS))
    y = scores / scores.sum(-1, keepdims=True) @ v
    return linear(s, "self_attn.out_proj", y.transpose(0, 2, 1, 3).reshape(x.shape))
