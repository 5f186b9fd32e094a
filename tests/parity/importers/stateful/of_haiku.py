"""Whole models of Haiku, as people write them."""

from __future__ import annotations

from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp


class Encoder(hk.Module):  # type: ignore[misc]
    def __call__(self, x: Any) -> Any:
        h = hk.LayerNorm(-1, True, True, name="norm")(x)
        attention = hk.MultiHeadAttention(
            2, 4, w_init=hk.initializers.VarianceScaling(1.0), name="attention"
        )
        return x + attention(h, h, h)


class Cached(hk.Module):  # type: ignore[misc]
    """Attention to all tokens so far, whose keys and values are state."""

    def __init__(self, length: int, name: str) -> None:
        super().__init__(name=name)
        self.length = length

    def __call__(self, x: Any) -> Any:
        batch = x.shape[0]
        q, k, v = (
            hk.Linear(8, name=name)(x).reshape(batch, 1, 2, 4)
            for name in ("query", "key", "value")
        )
        shape = (batch, self.length, 2, 4)
        place = hk.get_state("place", (), jnp.int32, init=jnp.zeros)
        keys = hk.get_state("keys", shape, init=jnp.zeros)
        values = hk.get_state("values", shape, init=jnp.zeros)
        keys = jax.lax.dynamic_update_slice(keys, k, (0, place, 0, 0))
        values = jax.lax.dynamic_update_slice(values, v, (0, place, 0, 0))
        hk.set_state("place", place + 1)
        hk.set_state("keys", keys)
        hk.set_state("values", values)
        mask = (jnp.arange(keys.shape[1]) <= place)[None, None, None, :]
        y = jax.nn.dot_product_attention(q, keys, values, mask=mask)
        return hk.Linear(8, name="out")(y.reshape(batch, 1, 8))


class Decoder(hk.Module):  # type: ignore[misc]
    def __init__(self, length: int, name: str) -> None:
        super().__init__(name=name)
        self.length = length

    def __call__(self, x: Any, memory: Any) -> Any:
        h = hk.LayerNorm(-1, True, True, name="norm")(x)
        x = x + Cached(self.length, name="attention")(h)
        cross = hk.MultiHeadAttention(
            2, 4, w_init=hk.initializers.VarianceScaling(1.0), name="cross"
        )
        return x + cross(x, memory, memory)


def translator(text: Any, token: Any) -> Any:
    """One token after what the decoder saw before, of a text in another language."""
    embed = hk.Embed(11, 8, name="embed")
    memory = Encoder(name="encoder")(embed(text))
    x = embed(token)
    for i in range(2):
        x = Decoder(6, name=f"decoder_{i}")(x, memory)
    return hk.LayerNorm(-1, True, True, name="norm")(x) @ embed.embeddings.T


class Block(hk.Module):  # type: ignore[misc]
    def __init__(self, width: int, name: str) -> None:
        super().__init__(name=name)
        self.width = width

    def __call__(self, x: Any, is_training: bool) -> Any:
        def conv(name: str) -> Any:
            return hk.Conv2D(self.width, 3, with_bias=False, name=name)

        def norm(name: str) -> Any:
            return hk.BatchNorm(True, True, 0.9, name=name)

        y = jax.nn.relu(norm("norm_1")(conv("conv_1")(x), is_training))
        return jax.nn.relu(x + norm("norm_2")(conv("conv_2")(y), is_training))


def resnet(images: Any, is_training: bool) -> Any:
    x = hk.Conv2D(6, 3, name="stem")(images)
    for i in range(2):
        x = Block(6, name=f"block_{i}")(x, is_training)
    return hk.Linear(4, name="head")(jnp.mean(x, axis=(1, 2)))
