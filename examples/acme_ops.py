"""Ops that are no core ops: their spec classes and functions, registered with blox."""

from __future__ import annotations

from typing import Annotated, Literal

import jax
from jax import Array

import blox as bx
from blox.schema.fields import Float, OptionalSize, ParamSlot, SizeOf, Tensor
from blox.schema.initializers import Ones
from blox.schema.op import Op, ParamOp
from blox.schema.parameters import Leaf


class SoftCap(Op):
    """`cap * tanh(x / cap)`: x, kept between -cap and cap. (...) -> (...)."""

    op: Literal["acme:soft_cap"] = "acme:soft_cap"
    x: Tensor
    cap: Float = 30.0


def soft_cap(x: Array, *, cap: float) -> Array:
    """x, kept between -cap and cap."""
    return cap * jax.numpy.tanh(x / cap)


bx.register(SoftCap, soft_cap)


class Gain(ParamOp):
    """`x * gain`. (..., features) -> (..., features)."""

    op: Literal["acme:gain"] = "acme:gain"
    x: Tensor
    gain: ParamSlot = None
    features: Annotated[OptionalSize, SizeOf("x")] = None

    def parameters(self) -> dict[str, Leaf]:
        return {"gain": Leaf((self.features,), Ones())}


def gain(x: Array, gain: Array) -> Array:
    """x times gain, by feature."""
    return x * gain


bx.register(Gain, gain)


def soft_cap_body(f: bx.F, x: bx.Value, *, cap: float) -> bx.Value:
    """The same of core ops, for readers that don't have this file."""
    return f.tanh(x / cap) * cap


if __name__ == "__main__":
    b = bx.GraphBuilder("capped", width=4)

    @b.entry(x=bx.Input(["batch", b.width]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return f.call("capped_x", soft_cap_body)(x, cap=2.0)

    graph = b.graph(ops={"acme:soft_cap": soft_cap_body})
    print(bx.build(graph)({}, jax.numpy.arange(4.0)[None])[0])
