"""Cells of recurrent networks: one step in time. `bx.recipes` has them over time."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from ..deferred import ParamOp
from ..fields import OptionalSize, ParamSlot, SizeOf, Tensor
from ..initializers import LECUN_NORMAL, ZEROS, Orthogonal
from ..parameters import Leaf


class LSTMCell(ParamOp):
    """A step of a long short-term memory.

    x (..., in_features), h and c (..., units) -> the new h and c (..., units). With the
    parts i, f, g, o of `x @ kernel + h @ recurrent_kernel + bias`, in this order,
    `c = sigmoid(f) * c + sigmoid(i) * tanh(g)` and `h = sigmoid(o) * tanh(c)`. kernel
    (in_features, 4 * units), recurrent_kernel (units, 4 * units); bias (4 * units),
    which is `bias_ih + bias_hh` of PyTorch. Hochreiter and Schmidhuber 1997; Gers et
    al. 2000.
    """

    OUTPUTS: ClassVar[tuple[str, ...]] = ("h", "c")
    CONTINUES: ClassVar[tuple[str, ...]] = ("h", "c")
    ALSO: ClassVar[tuple[str, ...]] = ("lstm", "optimized_lstm_cell")

    op: Literal["lstm_cell"] = "lstm_cell"
    x: Tensor
    h: Tensor
    c: Tensor
    kernel: ParamSlot = None
    recurrent_kernel: ParamSlot = None
    bias: ParamSlot = None
    in_features: Annotated[OptionalSize, SizeOf("x")] = None
    units: Annotated[OptionalSize, SizeOf("h"), SizeOf("c")] = None
    use_bias: bool = True

    def parameters(self) -> dict[str, Leaf]:
        width = 4 * self.units
        leaves = {
            "kernel": Leaf((self.in_features, width), LECUN_NORMAL),
            "recurrent_kernel": Leaf((self.units, width), Orthogonal()),
        }
        if self.use_bias:
            leaves["bias"] = Leaf((width,), ZEROS)
        return leaves

    def channels(self) -> dict[str, tuple[int, ...]]:
        return {"kernel": (-1,), "recurrent_kernel": (-1,)}


class GRUCell(ParamOp):
    """A step of a gated recurrent unit.

    x (..., in_features), h (..., units) -> the new h (..., units). The parts r, z, n of
    `a = x @ kernel + bias` and of `b = h @ recurrent_kernel + recurrent_bias` are in this
    order; `r = sigmoid(a_r + b_r)`, `z = sigmoid(a_z + b_z)`, and the new h is
    `(1 - z) * n + z * h`. `variant` says what n is: `reset_after`, as in PyTorch,
    `tanh(a_n + r * b_n)`; `original`, `tanh(a_n + c_n)`, c being b of `r * h` in place of
    h. kernel (in_features, 3 * units), recurrent_kernel (units, 3 * units), both biases
    (3 * units). Cho et al., arXiv:1406.1078.
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ("h",)
    ALSO: ClassVar[tuple[str, ...]] = ("gru",)

    op: Literal["gru_cell"] = "gru_cell"
    x: Tensor
    h: Tensor
    kernel: ParamSlot = None
    recurrent_kernel: ParamSlot = None
    bias: ParamSlot = None
    recurrent_bias: ParamSlot = None
    in_features: Annotated[OptionalSize, SizeOf("x")] = None
    units: Annotated[OptionalSize, SizeOf("h"), SizeOf("out")] = None
    variant: Literal["reset_after", "original"] = "reset_after"
    use_bias: bool = True

    def parameters(self) -> dict[str, Leaf]:
        width = 3 * self.units
        leaves = {
            "kernel": Leaf((self.in_features, width), LECUN_NORMAL),
            "recurrent_kernel": Leaf((self.units, width), Orthogonal()),
        }
        if self.use_bias:
            leaves["bias"] = Leaf((width,), ZEROS)
            leaves["recurrent_bias"] = Leaf((width,), ZEROS)
        return leaves

    def channels(self) -> dict[str, tuple[int, ...]]:
        return {"kernel": (-1,), "recurrent_kernel": (-1,)}


class RNNCell(ParamOp):
    """A step of a simple recurrent network.

    x (..., in_features), h (..., units) -> the new h (..., units),
    `activation(x @ kernel + h @ recurrent_kernel + bias)`. kernel (in_features, units),
    recurrent_kernel (units, units); bias (units), which is `bias_ih + bias_hh` of
    PyTorch. Elman 1990.
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ("h",)
    ALSO: ClassVar[tuple[str, ...]] = ("simple_rnn", "simple_cell", "elman_rnn", "rnn")

    op: Literal["rnn_cell"] = "rnn_cell"
    x: Tensor
    h: Tensor
    kernel: ParamSlot = None
    recurrent_kernel: ParamSlot = None
    bias: ParamSlot = None
    in_features: Annotated[OptionalSize, SizeOf("x")] = None
    units: Annotated[OptionalSize, SizeOf("h"), SizeOf("out")] = None
    activation: Literal["tanh", "relu"] = "tanh"
    use_bias: bool = True

    def parameters(self) -> dict[str, Leaf]:
        leaves = {
            "kernel": Leaf((self.in_features, self.units), LECUN_NORMAL),
            "recurrent_kernel": Leaf((self.units, self.units), Orthogonal()),
        }
        if self.use_bias:
            leaves["bias"] = Leaf((self.units,), ZEROS)
        return leaves

    def channels(self) -> dict[str, tuple[int, ...]]:
        return {"kernel": (-1,), "recurrent_kernel": (-1,)}
