"""A model as people write it in JAX, a function of a tree of arrays, for `bx.from_jax`."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def norm(x: Any, scale: Any) -> Any:
    return x * jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + 1e-6) * scale


def block(weights: Any, x: Any) -> Any:
    hidden = jax.nn.gelu(norm(x, weights["scale"]) @ weights["up"])
    return x + hidden @ weights["down"]


def tagger(params: Any, tokens: Any) -> Any:
    x = params["table"][tokens]
    for weights in params["blocks"]:
        x = block(weights, x)
    return x @ params["table"].T


def new_params(seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)

    def drawn(*shape: int) -> Any:
        return jnp.asarray(rng.normal(size=shape) / 4, jnp.float32)

    blocks = [
        {"scale": jnp.ones(8), "up": drawn(8, 16), "down": drawn(16, 8)}
        for _ in range(4)
    ]
    return {"table": drawn(50, 8), "blocks": blocks}


def make() -> Any:
    """What `blox import jax acme_tagger:make` imports."""
    return tagger, new_params()
