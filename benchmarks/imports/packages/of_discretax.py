"""State-space models of discretax, between an encoder and a head."""

from typing import Any

import equinox as eqx
import jax
from discretax import models
from discretax.encoder import LinearEncoder
from discretax.heads import ClassificationHead

import blox as bx

from . import Example

KEY = jax.random.key(0)


def _classifier(cls: Any, **options: Any) -> Example:
    keys = jax.random.split(KEY, 3)

    def make() -> Any:
        return eqx.nn.Sequential(
            [
                LinearEncoder(in_features=3, out_features=8, key=keys[0]),
                cls(hidden_dim=8, num_blocks=2, key=keys[1], **options),
                ClassificationHead(in_features=8, out_features=4, key=keys[2]),
            ]
        )

    model, state = eqx.nn.make_with_state(make)()
    model = eqx.nn.inference_mode(model)

    def call(given: Any, x: jax.Array) -> jax.Array:
        model, state = given
        run = jax.vmap(
            lambda one: model(one, state, key=KEY),
            axis_name="batch",
            out_axes=(0, None),
        )
        return run(x)[0]

    return Example(
        call,
        {"x": bx.Input(["batch", "time", 3])},
        (model, state),
        sizes={"time": 8},
    )


def delta_net() -> Example:
    return _classifier(models.DeltaNet, n_heads=2, chunk_size=4)


def lin_oss() -> Example:
    return _classifier(models.LinOSS, state_dim=4)


def lru() -> Example:
    return _classifier(models.LRU, state_dim=4)


def s5() -> Example:
    return _classifier(models.S5, state_dim=4)
