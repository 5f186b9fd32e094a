"""Ops that are no core ops, as a package of their own would have them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

import jax.numpy as jnp
from jax import Array
from jax.scipy import special

import blox as bx
from blox.schema.fields import Float, OptionalSize, ParamSlot, SizeOf, Tensor
from blox.schema.initializers import Ones
from blox.schema.op import Op, ParamOp
from blox.schema.parameters import Leaf
from blox.schema.problems import Problem


class Gate(ParamOp):
    """`x * scale * erf(k * x)`. (..., features) -> (..., features)."""

    op: Literal["acme:gate"] = "acme:gate"
    x: Tensor
    scale: ParamSlot = None
    features: Annotated[OptionalSize, SizeOf("x"), SizeOf("out")] = None
    k: Float = 2.0

    def parameters(self) -> dict[str, Leaf]:
        return {"scale": Leaf((self.features,), Ones())}

    def problems(self) -> Iterator[Problem]:
        if self.k == 0:
            yield Problem.expected("k", "a number other than 0", self.k)


def _bent(x: Array) -> Array:
    """The error function."""
    return special.erf(x)


def gate(x: Array, scale: Array, *, k: float) -> Array:
    """x * scale * erf(k x)."""
    return x * scale * _bent(k * x)


class Halves(Op):
    """The two halves of the last axis, times `k`. (..., 2 n) -> (..., n) twice."""

    OUTPUTS: ClassVar[tuple[str, ...]] = ("a", "b")

    op: Literal["acme:halves@2"] = "acme:halves@2"
    x: Tensor
    k: Float = 1.0


def halves(x: Array, *, k: float) -> tuple[Array, Array]:
    """Both halves of the last axis, times k."""
    a, b = jnp.split(k * x, 2, axis=-1)
    return a, b


def register() -> None:
    bx.register(Gate, gate)
    bx.register(Halves, halves)
