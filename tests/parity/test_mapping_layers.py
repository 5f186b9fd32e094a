"""`bx.layer_rules` against PyTorch, Flax, Equinox: the same numbers, and back the bits."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import flax.linen as nn
import jax
import numpy as np
import pytest
import torch
from flax import nnx
from mapping.test_mapping import equal

import blox as bx

L = bx.layouts
pytestmark = pytest.mark.parity
KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
H, C = (RNG.normal(size=(2, 5)).astype(np.float32) for _ in range(2))
X = RNG.normal(size=(2, 3)).astype(np.float32)
CELLS = {"lstm": "lstm", "gru": "gru"}


def close(found: Any, wanted: Any) -> None:
    np.testing.assert_allclose(found, np.asarray(wanted), rtol=2e-5, atol=2e-6)


def cells() -> bx.Graph:
    b = bx.GraphBuilder("cells")
    state = bx.Input(["batch", 5])

    @b.entry(h=state, c=state, x=bx.Input(["batch", 3]))
    def main(f: bx.F, h: bx.Value, c: bx.Value, x: bx.Value) -> dict[str, bx.Value]:
        new = f.lstm_cell("lstm", x, h, c, units=5)
        return {"h": new[0], "c": new[1], "g": f.gru_cell("gru", x, h, units=5)}

    return b.graph()


def of_linen() -> tuple[Any, Any]:
    class Cells(nn.Module):  # type: ignore[misc]
        @nn.compact  # type: ignore[untyped-decorator]
        def __call__(self, h: Any, c: Any, x: Any) -> Any:
            some = {"bias_init": nn.initializers.normal()}
            (c, new), _ = nn.LSTMCell(5, name="lstm", **some)((c, h), x)
            return new, c, nn.GRUCell(5, name="gru", **some)(h, x)[0]

    variables = Cells().init(KEY, H, C, X)
    return variables, Cells().apply(variables, H, C, X)


def of_nnx() -> tuple[Any, Any]:
    class Cells(nnx.Module):  # type: ignore[misc]
        def __init__(self, rngs: nnx.Rngs) -> None:
            self.lstm = nnx.LSTMCell(3, 5, rngs=rngs)
            self.gru = nnx.GRUCell(3, 5, rngs=rngs)

    model = Cells(nnx.Rngs(0))
    (c, h), _ = model.lstm((C, H), X)
    return nnx.state(model, nnx.Param), (h, c, model.gru(H, X)[0])


class EquinoxCells(eqx.Module):  # type: ignore[misc]
    lstm: eqx.nn.LSTMCell
    gru: eqx.nn.GRUCell


def of_equinox() -> tuple[Any, Any]:
    model = EquinoxCells(eqx.nn.LSTMCell(3, 5, key=KEY), eqx.nn.GRUCell(3, 5, key=KEY))
    h, c = jax.vmap(model.lstm)(X, (H, C))
    return model, (h, c, jax.vmap(model.gru)(X, H))


@pytest.mark.parametrize(
    ("of", "make"), [("linen", of_linen), ("nnx", of_nnx), ("equinox", of_equinox)]
)
def test_cells(of: str, make: Any) -> None:
    tree, wanted = make()
    graph = cells()
    rules = bx.layer_rules(graph, CELLS, of=of)
    params = bx.map_params(graph, tree, rules)
    found, _ = bx.build(graph)(params, H, C, X)
    for value, other in zip(found.values(), wanted, strict=True):
        close(value, other)
    back = bx.unmap_params(graph, params, rules, like=tree)
    assert type(back) is type(tree)
    equal(eqx.filter(back, eqx.is_array_like), eqx.filter(tree, eqx.is_array_like))


class Recurrent(torch.nn.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        both = {"bidirectional": True, "batch_first": True}
        self.lstm = torch.nn.LSTM(3, 5, 2, **both)
        self.gru = torch.nn.GRU(10, 4, batch_first=True)

    def forward(self, x: Any) -> Any:
        return self.gru(self.lstm(x)[0])[0]


class Images(torch.nn.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 6, 3, padding=1)
        self.norm = torch.nn.BatchNorm2d(6)
        self.fc = torch.nn.Linear(6 * 8 * 5, 10)

    def forward(self, x: Any) -> Any:
        return self.fc(self.norm(self.conv(x)).relu().flatten(1))


def recurrent() -> tuple[bx.Graph, list[Any]]:
    b = bx.GraphBuilder("recurrent")

    @b.entry(x=bx.Input(["batch", "time", 3]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        over = f.call("lstm", bx.recipes.lstm)(x, units=5, layers=2, bidirectional=True)
        return f.call("gru", bx.recipes.gru)(over["y"], units=4)["y"]

    graph = b.graph()
    modules = {
        "lstm.layer_{i}.cell": "lstm.{}_l{i}",
        "lstm.layer_{i}_reverse.cell": "lstm.{}_l{i}_reverse",
        "gru.layer_{i}.cell": "gru.{}_l{i}",
    }
    return graph, [*bx.layer_rules(graph, modules)]


def images() -> tuple[bx.Graph, list[Any]]:
    b = bx.GraphBuilder("images")

    @b.entry(x=bx.Input(["batch", 8, 5, 3]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        x = f.conv("conv", x, 6, [3, 3], padding=[[1, 1], [1, 1]])
        x = f.relu(f.batch_norm("norm", x, momentum=0.9, unbiased=True))
        return f.linear("fc", f.reshape(x, (x.shape[0], 8 * 5 * 6)), 10)

    graph = b.graph()
    behind = L.Rearrange("o (c h w) -> (h w c) o", h=8, w=5)
    rules = bx.layer_rules(graph, {"conv": "conv", "norm": "norm", "fc": "fc"})
    return graph, [bx.Rule("fc.kernel", "fc.weight", behind), *rules]


SERIES = RNG.normal(size=(2, 7, 3)).astype(np.float32)
PIXELS = RNG.normal(size=(2, 8, 5, 3)).astype(np.float32)


@pytest.mark.parametrize(
    ("kind", "make", "x", "theirs"),
    [
        (Recurrent, recurrent, SERIES, SERIES),
        (Images, images, PIXELS, PIXELS.transpose(0, 3, 1, 2).copy()),
    ],
)
def test_pytorch(kind: Any, make: Any, x: Any, theirs: Any) -> None:
    module = kind()
    with torch.no_grad():
        module(torch.from_numpy(theirs) * 2 + 1)  # so that statistics are not 0 and 1
        wanted = module.eval()(torch.from_numpy(theirs)).numpy()
    graph, rules = make()
    params = bx.map_params(graph, module, rules)
    close(bx.build(graph)(params, x)[0], wanted)
    back = bx.unmap_params(graph, params, rules, like=module)
    for name, value in module.state_dict().items():
        # Sums of two biases are one of them on the way back; steps are not counted.
        if "lstm.bias" not in name and "num_batches" not in name:
            assert back[name].tobytes() == value.numpy().tobytes(), name
