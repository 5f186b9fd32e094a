"""Whole models of Equinox, as people write them."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp


class Encoder(eqx.Module):  # type: ignore[misc]
    norm: eqx.nn.LayerNorm
    attention: eqx.nn.MultiheadAttention

    def __init__(self, key: Any) -> None:
        self.norm = eqx.nn.LayerNorm(8)
        self.attention = eqx.nn.MultiheadAttention(2, 8, key=key)

    def __call__(self, x: Any) -> Any:
        h = jax.vmap(self.norm)(x)
        return x + self.attention(h, h, h)


class Cached(eqx.Module):  # type: ignore[misc]
    """Attention of one token to all so far, whose keys and values lie in the State."""

    query: eqx.nn.Linear
    key: eqx.nn.Linear
    value: eqx.nn.Linear
    out: eqx.nn.Linear
    seen: eqx.nn.StateIndex
    place: eqx.nn.StateIndex

    def __init__(self, shape: tuple[int, int], key: Any) -> None:
        every = jax.random.split(key, 4)
        self.query, self.key, self.value, self.out = (
            eqx.nn.Linear(8, 8, key=k) for k in every
        )
        nothing = jnp.zeros((*shape, 2, 4))
        self.seen = eqx.nn.StateIndex({"keys": nothing, "values": nothing})
        self.place = eqx.nn.StateIndex(jnp.int32(0))

    def __call__(self, x: Any, state: Any) -> Any:
        place, seen = state.get(self.place), state.get(self.seen)
        q, k, v = (
            jax.vmap(m)(x).reshape(-1, 1, 2, 4)
            for m in (self.query, self.key, self.value)
        )
        keys = jax.lax.dynamic_update_slice(seen["keys"], k, (0, place, 0, 0))
        values = jax.lax.dynamic_update_slice(seen["values"], v, (0, place, 0, 0))
        mask = (jnp.arange(keys.shape[1]) <= place)[None, None, None, :]
        y = jax.nn.dot_product_attention(q, keys, values, mask=mask)
        state = state.set(self.seen, {"keys": keys, "values": values})
        y = jax.vmap(self.out)(y.reshape(-1, 8))
        return y, state.set(self.place, place + 1)


class Decoder(eqx.Module):  # type: ignore[misc]
    norm: eqx.nn.LayerNorm
    attention: Cached
    cross: eqx.nn.MultiheadAttention

    def __init__(self, shape: tuple[int, int], key: Any) -> None:
        one, two = jax.random.split(key)
        self.norm = eqx.nn.LayerNorm(8)
        self.attention = Cached(shape, one)
        self.cross = eqx.nn.MultiheadAttention(2, 8, key=two)

    def __call__(self, x: Any, memory: Any, state: Any) -> Any:
        y, state = self.attention(jax.vmap(self.norm)(x), state)
        x = x + y
        x = x + jax.vmap(self.cross)(x[:, None], memory, memory)[:, 0]
        return x, state


class Translator(eqx.Module):  # type: ignore[misc]
    """One token after what the decoder saw before, of a text in another language."""

    embed: eqx.nn.Embedding
    encoder: Encoder
    decoder: list[Decoder]
    norm: eqx.nn.LayerNorm

    def __init__(self, batch: int, length: int, key: Any) -> None:
        every = jax.random.split(key, 4)
        self.embed = eqx.nn.Embedding(11, 8, key=every[0])
        self.encoder = Encoder(every[1])
        self.decoder = [Decoder((batch, length), k) for k in every[2:]]
        self.norm = eqx.nn.LayerNorm(8)

    def __call__(self, text: Any, token: Any, state: Any) -> Any:
        memory = jax.vmap(self.encoder)(jax.vmap(jax.vmap(self.embed))(text))
        x = jax.vmap(self.embed)(token)
        for decoder in self.decoder:
            x, state = decoder(x, memory, state)
        return jax.vmap(self.norm)(x) @ self.embed.weight.T, state


class Block(eqx.Module):  # type: ignore[misc]
    conv_1: eqx.nn.Conv2d
    norm_1: eqx.nn.BatchNorm
    conv_2: eqx.nn.Conv2d
    norm_2: eqx.nn.BatchNorm

    def __init__(self, width: int, key: Any) -> None:
        one, two = jax.random.split(key)
        settings: dict[str, Any] = {"padding": 1, "use_bias": False}
        self.conv_1 = eqx.nn.Conv2d(width, width, 3, **settings, key=one)
        self.norm_1 = eqx.nn.BatchNorm(width, "batch", momentum=0.9, mode="batch")
        self.conv_2 = eqx.nn.Conv2d(width, width, 3, **settings, key=two)
        self.norm_2 = eqx.nn.BatchNorm(width, "batch", momentum=0.9, mode="batch")

    def __call__(self, x: Any, state: Any) -> Any:
        y, state = self.norm_1(self.conv_1(x), state)
        y, state = self.norm_2(self.conv_2(jax.nn.relu(y)), state)
        return jax.nn.relu(x + y), state


class ResNet(eqx.Module):  # type: ignore[misc]
    stem: eqx.nn.Conv2d
    blocks: list[Block]
    head: eqx.nn.Linear

    def __init__(self, key: Any) -> None:
        first, last, *every = jax.random.split(key, 4)
        self.stem = eqx.nn.Conv2d(3, 6, 3, padding=1, key=first)
        self.blocks = [Block(6, k) for k in every]
        self.head = eqx.nn.Linear(6, 4, key=last)

    def __call__(self, image: Any, state: Any) -> Any:
        x = self.stem(image)
        for block in self.blocks:
            x, state = block(x, state)
        return self.head(jnp.mean(x, axis=(1, 2))), state


def batched_net(pair: Any, images: Any) -> Any:
    model, state = pair
    run = jax.vmap(model, axis_name="batch", in_axes=(0, None), out_axes=(0, None))
    return run(images, state)


def translated(pair: Any, text: Any, token: Any) -> Any:
    model, state = pair
    return model(text, token, state)
