"""Recurrent cells and layers: gate orders, lengths, directions, initial states."""

from __future__ import annotations

from itertools import product
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import torch
from flax import nnx
from parity.ops.tables.row import Numbers, Row, Rows
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

CELLS = {"lstm": nn.LSTMCell, "gru": nn.GRUCell, "rnn": nn.RNNCell}
LAYERS = {"lstm": nn.LSTM, "gru": nn.GRU, "simple_rnn": nn.RNN}
GATES = {"lstm": 4, "gru": 3, "rnn": 1, "simple_rnn": 1}
NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def weights(numbers: Numbers, kind: str, features: int, units: int) -> dict[str, Any]:
    width = GATES[kind] * units
    found = {
        "kernel": numbers(features, width) / 2,
        "recurrent_kernel": numbers(units, width) / 2,
        "bias": numbers(width),
    }
    return found | ({"recurrent_bias": numbers(width)} if kind == "gru" else {})


def in_torch(own: Any) -> list[Any]:
    """weight_ih, weight_hh, bias_ih and bias_hh."""
    second = own.get("recurrent_bias", torch.zeros_like(own["bias"]))
    return [own["kernel"].T, own["recurrent_kernel"].T, own["bias"], second]


def cells_of_torch() -> Rows:
    numbers = Numbers(80)
    for (kind, activation), (features, units), lead in product(
        [("lstm", None), ("gru", None), ("rnn", "tanh"), ("rnn", "relu")],
        [(3, 5), (1, 1), (4, 2)],
        [(2,), (2, 3)],
    ):

        def reference(
            x: Any, h: Any, c: Any = None, row: Any = (kind, activation), **own: Any
        ) -> Any:
            kind, activation = row
            features, units = x.shape[-1], h.shape[-1]
            more = {} if activation is None else {"nonlinearity": activation}
            module = CELLS[kind](features, units, dtype=x.dtype, **more)
            flat = [s.reshape(-1, s.shape[-1]) for s in (x, h, h if c is None else c)]
            begin = tuple(flat[1:]) if kind == "lstm" else flat[1]
            params = dict(zip(NAMES, in_torch(own), strict=True))
            y = torch.func.functional_call(module, params, (flat[0], begin))
            y = y if isinstance(y, tuple) else (y,)
            return tuple(part.reshape(h.shape) for part in y)

        arrays = {"x": numbers(*lead, features), "h": numbers(*lead, units)}
        arrays |= {"c": numbers(*lead, units)} if kind == "lstm" else {}
        arrays |= weights(numbers, kind, features, units)
        given: dict[str, Any] = {"in_features": features, "units": units}
        given |= {} if activation is None else {"activation": activation}
        yield Row(f"{kind}_cell", given, arrays, reference)


def cells_of_jax() -> Rows:
    """Equinox has the gates of PyTorch, in rows; Flax a dense layer for each gate."""
    numbers = Numbers(81)
    for features, units in [(3, 5), (1, 2)]:
        x, h, c = numbers(2, features), numbers(2, units), numbers(2, units)
        own = weights(numbers, "lstm", features, units)
        given = {"in_features": features, "units": units}
        arrays = {"x": x, "h": h, "c": c} | own
        yield Row("lstm_cell", given, arrays, lstm_of_equinox, "equinox")
        yield Row("lstm_cell", given, arrays, lstm_of_flax, "flax")
        own = weights(numbers, "gru", features, units)
        own["recurrent_bias"][: 2 * units] = 0  # they have none
        arrays = {"x": x, "h": h} | own
        yield Row("gru_cell", given, arrays, gru_of_equinox, "equinox", slopes=False)
        own = weights(numbers, "rnn", features, units)
        arrays = {"x": x, "h": h} | own
        yield Row("rnn_cell", given, arrays, rnn_of_flax, "flax")


def lstm_of_equinox(x: Any, h: Any, c: Any, **own: Any) -> Any:
    cell = eqx.nn.LSTMCell(x.shape[-1], h.shape[-1], key=jax.random.key(0))
    parts = own["kernel"].T, own["recurrent_kernel"].T, own["bias"]
    cell = eqx.tree_at(lambda m: (m.weight_ih, m.weight_hh, m.bias), cell, parts)
    return jax.vmap(lambda x, h, c: cell(x, (h, c)))(x, h, c)


def gru_of_equinox(x: Any, h: Any, **own: Any) -> Any:
    cell = eqx.nn.GRUCell(x.shape[-1], h.shape[-1], key=jax.random.key(0))
    extra = own["recurrent_bias"][-h.shape[-1] :]
    parts = own["kernel"].T, own["recurrent_kernel"].T, own["bias"], extra
    names = lambda m: (m.weight_ih, m.weight_hh, m.bias, m.bias_n)  # noqa: E731
    cell = eqx.tree_at(names, cell, parts)
    return jax.vmap(cell)(x, h)


def lstm_of_flax(x: Any, h: Any, c: Any, **own: Any) -> Any:
    cell = nnx.LSTMCell(
        x.shape[-1], h.shape[-1], param_dtype=x.dtype, dtype=x.dtype, rngs=nnx.Rngs(0)
    )
    kernels = jnp.split(own["kernel"], 4, -1)
    recurrent, biases = (
        jnp.split(own["recurrent_kernel"], 4, -1),
        jnp.split(own["bias"], 4),
    )
    for gate, k, r, b in zip(
        ("i", "f_", "g", "o"), kernels, recurrent, biases, strict=True
    ):
        getattr(cell, f"i{gate}").kernel = nnx.Param(k)
        getattr(cell, f"h{gate[0]}").kernel = nnx.Param(r)
        getattr(cell, f"h{gate[0]}").bias = nnx.Param(b)
    (c, h), _ = cell((c, h), x)
    return h, c


def rnn_of_flax(x: Any, h: Any, **own: Any) -> Any:
    cell = nnx.SimpleCell(
        x.shape[-1], h.shape[-1], param_dtype=x.dtype, dtype=x.dtype, rngs=nnx.Rngs(0)
    )
    cell.dense_i.kernel = nnx.Param(own["kernel"])
    cell.dense_i.bias = nnx.Param(own["bias"])
    cell.dense_h.kernel = nnx.Param(own["recurrent_kernel"])
    return cell(h, x)[1]


def layers() -> Rows:
    """PyTorch's layers, where sequences of other lengths are packed."""
    numbers = Numbers(82)
    kinds = [
        ("lstm", None),
        ("gru", None),
        ("simple_rnn", "tanh"),
        ("simple_rnn", "relu"),
    ]
    shapes = [(1, False), (2, False), (1, True), (2, True)]
    for (kind, act), (count, both), counted, begun in product(
        kinds, shapes, (False, True), (False, True)
    ):
        if act == "relu" and (count, both) != (2, True):
            continue
        units, ways, time = 3, 1 + both, 40 if count == 1 else 6
        own: dict[str, Any] = {}
        for number in range(count):
            for way in ("", "_reverse")[:ways]:
                wide = 4 if number == 0 else ways * units
                part = weights(numbers, kind, wide, units)
                own |= {f"layer_{number}{way}.cell.{n}": p for n, p in part.items()}
        names = ("h", "c") if kind == "lstm" else ("h",)
        arrays: dict[str, Any] = {"x": numbers(3, time, 4)}
        arrays |= {n: numbers(3, count * ways, units) for n in names} if begun else {}
        if counted:
            arrays["lengths"] = np.array([time, 2, 3], np.int32)
        given: dict[str, Any] = {"units": units, "layers": count, "bidirectional": both}
        given |= {} if act is None else {"activation": act}
        yield Row(kind, given, arrays | own, network(kind, given), near=1e-4)


def network(kind: str, given: Any) -> Any:
    """The layers of PyTorch as a function of arrays by our names."""
    ways = 1 + given["bidirectional"]
    more = {"nonlinearity": given["activation"]} if "activation" in given else {}

    def reference(
        x: Any, h: Any = None, c: Any = None, lengths: Any = None, **own: Any
    ) -> Any:
        module = LAYERS[kind](
            4, given["units"], given["layers"], batch_first=True, dtype=x.dtype,
            bidirectional=ways == 2, **more,
        )  # fmt: skip
        flat = []
        for number in range(given["layers"]):
            for way in ("", "_reverse")[:ways]:
                start = f"layer_{number}{way}.cell."
                part = {n: own[start + n] for n in part_names(kind)}
                flat += in_torch(part)
        module._flat_weights = flat
        begin = [s.movedim(1, 0).contiguous() for s in (h, c) if s is not None]
        hidden = None if h is None else tuple(begin) if kind == "lstm" else begin[0]
        if lengths is None:
            y, end = module(x, hidden)
        else:
            packed = pack_padded_sequence(x, lengths.long(), True, enforce_sorted=False)
            y, end = module(packed, hidden)
            y, _ = pad_packed_sequence(y, batch_first=True)
        ends = end if kind == "lstm" else [end]
        return y, *(e.movedim(0, 1) for e in ends)

    return reference


def part_names(kind: str) -> list[str]:
    own = ["kernel", "recurrent_kernel", "bias"]
    return [*own, "recurrent_bias"] if kind == "gru" else own


TABLES = (cells_of_torch, cells_of_jax, layers)
