"""What the arrays of recurrent cells are called in other libraries, and how they lie there.

Ours are in the order of PyTorch: i, f, g, o of an LSTM, r, z, n of a GRU; kernels are
(in, gates * units).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from .layouts import Concat, Fill, Gates, Kernel, Pad, Sum, Unstack
from .spec import Layout

Row: TypeAlias = tuple[tuple[str, ...], tuple[str, ...], tuple[Layout, ...]]
"""(names of ours, names of theirs, layouts) below a cell and its module."""
Rows: TypeAlias = Callable[[int], list[Row]]
"""The rows for a number of units."""


def _row(ours: str, theirs: str, *layouts: Layout) -> Row:
    return tuple(ours.split()), tuple(theirs.split()), layouts


_TURNED = [
    _row("kernel", "weight_ih", Kernel()),
    _row("recurrent_kernel", "weight_hh", Kernel()),
]
_DENSE = [
    _row("kernel", "dense_i.kernel"),
    _row("recurrent_kernel", "dense_h.kernel"),
]
_AS_OURS = [
    _row(name, name)
    for name in ("kernel", "recurrent_kernel", "bias", "recurrent_bias")
]


def _several(ours: str, theirs: str) -> Row:
    return _row(ours, theirs, Concat(len(theirs.split()), axis=-1))


def _state_of_n(name: str, units: int) -> Row:
    """A bias of the state's n alone: those of r and z are zeros here."""
    return _row("recurrent_bias", name, Pad(2 * units, front=True))


CELLS: dict[tuple[str, str], Rows] = {
    ("torch", "lstm_cell"): lambda units: [*_TURNED, _row("bias", "bias_ih bias_hh", Sum())],
    ("torch", "rnn_cell"): lambda units: [*_TURNED, _row("bias", "bias_ih bias_hh", Sum())],
    ("torch", "gru_cell"): lambda units: [
        *_TURNED, _row("bias", "bias_ih"), _row("recurrent_bias", "bias_hh")
    ],
    ("equinox", "lstm_cell"): lambda units: [*_TURNED, _row("bias", "bias")],
    ("equinox", "gru_cell"): lambda units: [
        *_TURNED, _row("bias", "bias"), _state_of_n("bias_n", units)
    ],
    ("linen", "lstm_cell"): lambda units: [
        _several("kernel", "ii.kernel if.kernel ig.kernel io.kernel"),
        _several("recurrent_kernel", "hi.kernel hf.kernel hg.kernel ho.kernel"),
        _several("bias", "hi.bias hf.bias hg.bias ho.bias"),
    ],
    ("linen", "gru_cell"): lambda units: [
        _several("kernel", "ir.kernel iz.kernel in.kernel"),
        _several("recurrent_kernel", "hr.kernel hz.kernel hn.kernel"),
        _several("bias", "ir.bias iz.bias in.bias"),
        _state_of_n("hn.bias", units),
    ],
    ("linen", "rnn_cell"): lambda units: [
        _row("kernel", "i.kernel"), _row("recurrent_kernel", "h.kernel"),
        _row("bias", "i.bias"),
    ],
    ("nnx", "lstm_cell"): lambda units: [
        _several("kernel", "ii.kernel if_.kernel ig.kernel io.kernel"),
        _several("recurrent_kernel", "hi.kernel hf.kernel hg.kernel ho.kernel"),
        _several("bias", "hi.bias hf.bias hg.bias ho.bias"),
        *_DENSE, _row("bias", "dense_h.bias"),
    ],
    ("nnx", "gru_cell"): lambda units: [
        *_DENSE, _row("bias", "dense_i.bias"),
        _row("recurrent_bias", "", Fill(shape=(3 * units,))),
    ],
    ("nnx", "rnn_cell"): lambda units: [*_DENSE, _row("bias", "dense_i.bias")],
    ("keras", "lstm_cell"): lambda units: _AS_OURS,
    ("keras", "rnn_cell"): lambda units: _AS_OURS,
    ("keras", "gru_cell"): lambda units: [
        _row("kernel", "kernel", Gates("zrn", "rzn")),
        _row("recurrent_kernel", "recurrent_kernel", Gates("zrn", "rzn")),
        _row("bias recurrent_bias", "bias", Gates("zrn", "rzn"), Unstack(2)),
    ],
}  # fmt: skip
"""Rows by library and op."""
