"""Ensembles of the libraries are a `map` with a count, whose function is one member."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from imported import body, ops

import blox as bx

pytestmark = pytest.mark.parity
X = {"x": bx.Input(["batch", 4])}
KEYS = jax.random.split(jax.random.key(0), 5)


def of_equinox() -> tuple[Any, Any]:
    def mean(model: Any, x: Any) -> Any:
        run = eqx.filter_vmap(
            lambda m, x: jax.vmap(m)(x), in_axes=(eqx.if_array(0), None)
        )
        return jnp.mean(run(model, x), axis=0)

    return mean, eqx.filter_vmap(lambda key: eqx.nn.MLP(4, 2, 8, 1, key=key))(KEYS)


class Members(nnx.Module):  # type: ignore[misc]
    def __init__(self, rngs: nnx.Rngs) -> None:
        @nnx.split_rngs(splits=5)  # type: ignore[untyped-decorator]
        @nnx.vmap(in_axes=0, out_axes=0)  # type: ignore[untyped-decorator]
        def made(rngs: nnx.Rngs) -> Any:
            up, down = nnx.Linear(4, 8, rngs=rngs), nnx.Linear(8, 2, rngs=rngs)
            return nnx.Sequential(up, nnx.relu, down)

        self.members = made(rngs)

    def __call__(self, x: Any) -> Any:
        run = nnx.vmap(lambda member, x: member(x), in_axes=(0, None))
        return run(self.members, x).mean(0)


class Member(nn.Module):  # type: ignore[misc]
    @nn.compact  # type: ignore[untyped-decorator]
    def __call__(self, x: Any) -> Any:
        x = nn.relu(nn.Dense(8)(x))
        return nn.Dense(2)(x)


class Mean(nn.Module):  # type: ignore[misc]
    @nn.compact  # type: ignore[untyped-decorator]
    def __call__(self, x: Any) -> Any:
        axes, keys = {"params": 0}, {"params": True}
        run = nn.vmap(
            Member, in_axes=None, axis_size=5, variable_axes=axes, split_rngs=keys
        )
        return run(name="members")(x).mean(0)


def of_linen() -> tuple[Any, Any]:
    return Mean(), Mean().init(KEYS[0], jnp.zeros((1, 4)))


MODELS = {
    "equinox": of_equinox,
    "nnx": lambda: (Members(nnx.Rngs(0)), None),
    "linen": of_linen,
}


@pytest.mark.parametrize("library", MODELS)
def test_an_ensemble(library: str) -> None:
    model, params = MODELS[library]()
    graph, _, origin = bx.from_jax(model, X, params, name="ensemble")
    (node,) = [n for n in body(graph).values() if n["op"] == "map"]
    assert node["count"] == 5
    assert ops(graph).count("linear") == 2
    assert origin.report.greatest <= 1e-5, str(origin.report)
