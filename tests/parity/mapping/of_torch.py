"""The three models in PyTorch: an LSTM of two biases, query, key and value in one array."""

from __future__ import annotations

from typing import Any

import torch
from parity.mapping import graphs
from parity.mapping.graphs import DEPTH, HEADS, UNITS, WIDTH, WORDS, Case, shaken
from torch import nn

import blox as bx

L = bx.layouts


def _case(model: nn.Module, x: Any, graph: bx.Graph, rules: list[Any]) -> Case:
    state = {n: torch.from_numpy(shaken(a)) for n, a in model.state_dict().items()}
    model.load_state_dict(state)
    with torch.no_grad():
        wanted = model.eval()(torch.from_numpy(x)).numpy()
    return Case(graph, rules, model, wanted)


class Images(nn.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.out = nn.Linear(8 * 6 * 4, 10)

    def forward(self, x: Any) -> Any:
        return self.out(self.norm(self.conv(x)).relu().flatten(1))


def cnn() -> Case:
    graph = graphs.cnn()
    behind = L.Rearrange("o (c h w) -> (h w c) o", h=8, w=6)
    rules = [
        bx.Rule("out.kernel", "out.weight", behind),
        bx.Rule("norm.mean", "norm.running_mean"),
        bx.Ignored("norm.num_batches_tracked"),
        *bx.layer_rules(graph, {"conv": "conv", "norm": "norm", "out": "out"}),
    ]
    x = graphs.PIXELS.transpose(0, 3, 1, 2).copy()
    return _case(Images(), x, graph, rules)


class Tagger(nn.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(WORDS, WIDTH)
        self.lstm = nn.LSTM(WIDTH, UNITS, batch_first=True)
        self.out = nn.Linear(UNITS, 3)

    def forward(self, tokens: Any) -> Any:
        return self.out(self.lstm(self.embed(tokens))[0])


def cell(f: bx.F, h: bx.Value, c: bx.Value, x: bx.Value) -> dict[str, bx.Value]:
    size = 4 * h.features
    gates = f.linear("ih", x, size) + f.linear("hh", h, size)
    i, forget, g, o = f.split(gates, 4, axis=-1)
    c = f.sigmoid(forget) * c + f.sigmoid(i) * f.tanh(g)
    h = f.sigmoid(o) * f.tanh(c)
    return {"h": h, "c": c, "y": h}


def lstm() -> Case:
    graph = graphs.own_lstm(cell)
    modules = {"embed": "embed", "out": "out", "lstm.{n}": "lstm.{}_{n}_l0"}
    rules = bx.layer_rules(graph, modules)
    return _case(Tagger(), graphs.TOKENS, graph, rules)


class Encoder(nn.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.wte = nn.Embedding(WORDS, WIDTH)
        options: dict[str, Any] = {"activation": "gelu", "batch_first": True}
        self.h = nn.ModuleList(
            nn.TransformerEncoderLayer(
                WIDTH, HEADS, 16, dropout=0.0, norm_first=True, **options
            )
            for _ in range(DEPTH)
        )
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, WORDS, bias=False)
        self.head.weight = self.wte.weight

    def forward(self, tokens: Any) -> Any:
        x = self.wte(tokens)
        for block in self.h:
            x = block(x)
        return self.head(self.norm(x))


def transformer() -> Case:
    graph = graphs.transformer("gelu")
    modules = {
        "blocks.{i}.ln_{n}": "h.{i}.norm{n}",
        "blocks.{i}.attn.out": "h.{i}.self_attn.out_proj",
        "blocks.{i}.mlp.up": "h.{i}.linear1",
        "blocks.{i}.mlp.down": "h.{i}.linear2",
        "norm": "norm",
    }
    fused = "h.{i}.self_attn.in_proj_"
    kernels, biases = (
        tuple(f"blocks.{{i}}.attn.{name}.{last}" for name in ("query", "key", "value"))
        for last in ("kernel", "bias")
    )
    rules = [
        bx.Rule(kernels, fused + "weight", L.Split(3), L.Kernel()),
        bx.Rule(biases, fused + "bias", L.Split(3)),
        bx.Rule("embed.embedding", ("wte.weight", "head.weight"), L.Same(2)),
        *bx.layer_rules(graph, modules),
    ]
    model = Encoder()
    case = _case(_Tied(model), graphs.TOKENS, graph, rules)
    return Case(graph, rules, model, case.wanted)


class _Tied(nn.Module):  # type: ignore[misc]
    """Loads a state in which the two names of the table are one array."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        return {n: a for n, a in self.model.state_dict().items() if n != "head.weight"}

    def load_state_dict(self, state: Any, *args: Any, **kwargs: Any) -> Any:
        return self.model.load_state_dict(state | {"head.weight": state["wte.weight"]})

    def forward(self, tokens: Any) -> Any:
        return self.model(tokens)
