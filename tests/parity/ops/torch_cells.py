"""Writes torch_cells.safetensors and torch_layers.safetensors: norms, cells, and layers.

    python tests/parity/ops/torch_cells.py     (extra `parity`)

As torch_reference.py, with gradients. Cases of layers are those of `bx.recipes`.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch_reference import CASES, case, first, last, randn, save
from torch_reference import FILE as REFERENCE

FILE = REFERENCE.with_name("torch_cells.safetensors")
LAYERS = REFERENCE.parents[1] / "builder" / "torch_layers.safetensors"
CELLS = {"lstm": nn.LSTMCell, "gru": nn.GRUCell, "simple_rnn": nn.RNNCell}
NETWORKS = {"lstm": nn.LSTM, "gru": nn.GRU, "simple_rnn": nn.RNN}
GATES = {"lstm": 4, "gru": 3, "simple_rnn": 1}


def leaf(*shape: int) -> Tensor:
    return randn(*shape).requires_grad_()


def norms() -> None:
    x = (randn(2, 3, 4, 6) + 20).float().double().requires_grad_()
    scale, bias = leaf(6), leaf(6)
    affine = {"x": x, "scale": scale, "bias": bias}
    for groups in (1, 2, 6):
        y = last(F.group_norm(first(x, 2), groups, scale, bias, 1e-3), 2)
        case(
            "group_norm", affine, y, features=6, groups=groups, spatial_axes=2, eps=1e-3
        )
    y = last(F.instance_norm(first(x, 2), weight=scale, bias=bias), 2)
    case("instance_norm", affine, y, features=6, spatial_axes=2)
    case("l2_normalize", {"x": x}, F.normalize(x, dim=-1))
    case("l2_normalize", {"x": x}, F.normalize(x, dim=-2), axis=-2)
    kernel = leaf(5, 6)
    module = parametrizations.weight_norm(nn.Linear(5, 6))
    given = module.parametrizations.weight[0](scale[:, None], kernel.T)
    case("weight_norm", {"x": kernel, "scale": scale}, given.T, features=6)


def spectral_norms() -> None:
    for train in (True, False):
        module = parametrizations.spectral_norm(nn.Linear(5, 6), n_power_iterations=3)
        norm = module.parametrizations.weight[0].train(train)
        kernel = leaf(5, 6)
        u = F.normalize(randn(6), dim=0)
        norm._u.copy_(u)
        norm._v.copy_(F.normalize(kernel.detach() @ u, dim=0))
        y = norm(kernel.T).T
        new = [norm._u.clone()] if train else []
        case(
            "spectral_norm", {"x": kernel, "u": u.clone()}, y, *new,
            features=6, iterations=3, train=train,
        )  # fmt: skip


def maps() -> None:
    x, other, kernel, bias = leaf(2, 4), leaf(2, 3), leaf(4, 3, 5), leaf(5)
    case(
        "bilinear", {"x": x, "other": other, "kernel": kernel, "bias": bias},
        F.bilinear(x, other, kernel.movedim(-1, 0), bias),
        in_features=4, other_features=3, out_features=5,
    )  # fmt: skip
    for features in (1, 4):
        slope = leaf(features)
        case("prelu", {"x": x, "slope": slope}, F.prelu(x, slope), features=features)


def weights(kind: str, features: int, units: int) -> dict[str, Tensor]:
    """Leaves in our layout."""
    width = GATES[kind] * units
    found = {"kernel": leaf(features, width), "recurrent_kernel": leaf(units, width)}
    found["bias"] = leaf(width)
    return found | ({"recurrent_bias": leaf(width)} if kind == "gru" else {})


def in_torch(own: dict[str, Tensor]) -> list[Tensor]:
    """weight_ih, weight_hh, bias_ih and bias_hh."""
    second = own.get("recurrent_bias", torch.zeros_like(own["bias"]))
    return [own["kernel"].T, own["recurrent_kernel"].T, own["bias"], second]


def cells() -> None:
    for kind, activation in (
        ("lstm", None), ("gru", None), ("simple_rnn", "tanh"), ("simple_rnn", "relu"),
    ):  # fmt: skip
        more = {} if activation is None else {"nonlinearity": activation}
        module = CELLS[kind](3, 5, **more)
        own = weights(kind, 3, 5)
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        params = dict(zip(names, in_torch(own), strict=True))
        x, h = leaf(2, 3), leaf(2, 5)
        state = {"h": h, "c": leaf(2, 5)} if kind == "lstm" else {"h": h}
        begin = tuple(state.values()) if kind == "lstm" else h
        y = torch.func.functional_call(module, params, (x, begin))
        named: dict[str, Any] = {} if activation is None else {"activation": activation}
        case(
            f"{kind.removeprefix('simple_')}_cell", {"x": x, **state, **own},
            *(y if kind == "lstm" else [y]), in_features=3, units=5, **named,
        )  # fmt: skip


def layers() -> None:
    for kind, count, both, counted, begun, activation in (
        ("lstm", 1, False, False, False, None),
        ("lstm", 2, True, True, True, None),
        ("gru", 2, True, True, False, None),
        ("gru", 1, False, False, True, None),
        ("simple_rnn", 2, False, True, True, "relu"),
        ("simple_rnn", 1, True, False, False, "tanh"),
    ):
        options: dict[str, Any] = {"units": 3, "layers": count, "bidirectional": both}
        network(kind, options, counted, begun, activation)


def network(
    kind: str, options: dict[str, Any], counted: bool, begun: bool, act: str | None
) -> None:
    units, count, ways = (
        options["units"],
        options["layers"],
        1 + options["bidirectional"],
    )
    more = {} if act is None else {"nonlinearity": act}
    module = NETWORKS[kind](
        4, units, count, batch_first=True, bidirectional=ways == 2, **more
    )
    own: dict[str, Tensor] = {}
    flat = []
    for number in range(count):
        for way in ("", "_reverse")[:ways]:
            part = weights(kind, 4 if number == 0 else ways * units, units)
            flat += in_torch(part)
            own |= {f"layer_{number}{way}.cell.{n}": p for n, p in part.items()}
    module._flat_weights = flat
    x = leaf(3, 5, 4)
    names = ("h", "c") if kind == "lstm" else ("h",)
    state = {n: leaf(3, count * ways, units) for n in names} if begun else {}
    begin = [s.movedim(1, 0).contiguous() for s in state.values()]
    hidden = None if not begun else tuple(begin) if kind == "lstm" else begin[0]
    lengths = torch.tensor([5, 2, 3], dtype=torch.int32)
    if counted:
        packed = pack_padded_sequence(x, lengths.long(), True, enforce_sorted=False)
        y, end = module(packed, hidden)
        y, _ = pad_packed_sequence(y, batch_first=True)
    else:
        y, end = module(x, hidden)
    ends = [e.movedim(0, 1) for e in (end if kind == "lstm" else [end])]
    given = {"x": x, **state, **({"lengths": lengths} if counted else {})}
    options |= {} if act is None else {"activation": act}
    case(kind, given | own, y, *ends, **options)


def make() -> None:
    """All cases of ops, in order."""
    torch.manual_seed(2)
    for family in (norms, spectral_norms, maps, cells):
        family()


def make_layers() -> None:
    """All cases of layers, in order."""
    torch.manual_seed(3)
    layers()


if __name__ == "__main__":
    make()
    save(FILE)
    CASES.clear()
    make_layers()
    save(LAYERS)
