"""Neural operators of norax."""

from __future__ import annotations

import jax
from norax import models

import blox as bx

from . import Example

KEY = jax.random.key(0)


def _operator(modes: tuple[int, ...], *shape: str) -> Example:
    model = models.FNO(KEY, 2, 1, modes, width=4, depth=2)
    return Example(
        lambda m, x: jax.vmap(m)(x),
        {"x": bx.Input(["batch", *shape, 2])},
        model,
        sizes=dict(zip(shape, (8, 10), strict=False)),
    )


def fno_1d() -> Example:
    return _operator((3,), "x")


def fno_2d() -> Example:
    return _operator((3, 2), "x", "y")


def mlp() -> Example:
    model = models.MLP(KEY, 3, 2, 2, 8)
    return Example(lambda m, x: m(x), {"x": bx.Input(["batch", 3])}, model)
