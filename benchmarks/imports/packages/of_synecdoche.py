"""Hypernetworks of synecdoche, and a perceptron that runs on their weights."""

from collections.abc import Callable
from typing import Any

import jax
import synecdoche
from flax import nnx

import blox as bx

from . import Example


class Perceptron(nnx.Module):
    """A small one, whose weights a hypernetwork gives."""

    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.up = nnx.Linear(4, 8, rngs=rngs)
        self.down = nnx.Linear(8, 3, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.down(nnx.relu(self.up(x)))


def _hyper(make: Callable[[Any, nnx.Rngs], Any]) -> Example:
    model = Perceptron(rngs=nnx.Rngs(0))
    hyper = make(nnx.state(model, nnx.Param), nnx.Rngs(1))
    apply = synecdoche.functional(model)
    return Example(lambda h, x: apply(h, x), {"x": bx.Input(["batch", 4])}, hyper)


def random_projection() -> Example:
    return _hyper(lambda t, rngs: synecdoche.RandomProjection(t, 3, rngs=rngs))


def dct() -> Example:
    return _hyper(lambda t, rngs: synecdoche.DCT(t, 3, rngs=rngs))


def low_rank() -> Example:
    return _hyper(lambda t, rngs: synecdoche.LowRank(t, 2, rngs=rngs))


def mlp_hyper() -> Example:
    return _hyper(lambda t, rngs: synecdoche.MLPHyper(t, 3, 5, rngs=rngs))
