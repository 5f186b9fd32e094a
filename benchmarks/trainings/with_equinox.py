"""In Equinox, by its own layers; attributes are called as the parameters of the Graphs."""

from __future__ import annotations

from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from .parts import HEADS, RANK, SCALE, Training

KEY = jax.random.key(0)
Linear = partial(eqx.nn.Linear, key=KEY)
Embedding = partial(eqx.nn.Embedding, key=KEY)


class Conv(eqx.Module):
    conv: eqx.nn.Conv2d
    norm: eqx.nn.BatchNorm

    def __init__(self, wide: int, features: int) -> None:
        self.conv = eqx.nn.Conv2d(
            wide, features, 3, padding="SAME", use_bias=False, key=KEY
        )
        self.norm = eqx.nn.BatchNorm(features, "batch", momentum=0.9, mode="batch")

    def __call__(self, x: Array, state: Any) -> tuple[Array, Any]:
        x, state = self.norm(self.conv(x), state)
        return jax.nn.relu(x), state


class Digits(eqx.Module):
    first: Conv
    second: Conv
    pool: eqx.nn.MaxPool2d
    drop: eqx.nn.Dropout
    head: eqx.nn.Linear

    def __init__(self) -> None:
        self.first, self.second = Conv(1, 16), Conv(16, 32)
        self.pool = eqx.nn.MaxPool2d(2, 2)
        self.drop = eqx.nn.Dropout(0.3)
        self.head = Linear(512, 10)

    def __call__(self, image: Array, state: Any, key: Array | None) -> Any:
        x, state = self.first((image / 16)[None], state)
        x, state = self.second(self.pool(x), state)
        # As the others flatten it, so that the head has the same weights.
        x = jnp.moveaxis(x, 0, -1).ravel()
        return self.head(self.drop(x, key=key)), state


class Attention(eqx.Module):
    """Of one sequence: (time, width) -> (time, width)."""

    query: eqx.nn.Linear
    key: eqx.nn.Linear
    value: eqx.nn.Linear
    heads: int = eqx.field(static=True)

    def __init__(self, width: int, heads: int, bias: bool) -> None:
        self.query = Linear(width, width, use_bias=bias)
        self.key = Linear(width, width, use_bias=bias)
        self.value = Linear(width, width, use_bias=bias)
        self.heads = heads

    def project(self, name: str, x: Array) -> Array:
        return jax.vmap(getattr(self, name))(x)

    def attended(self, x: Array, mask: Array | None, causal: bool) -> Array:
        q, k, v = (
            self.project(n, x).reshape(len(x), self.heads, -1)
            for n in ("query", "key", "value")
        )
        y = jax.nn.dot_product_attention(q, k, v, mask=mask, is_causal=causal)
        return y.reshape(x.shape)


class Plain(Attention):
    out: eqx.nn.Linear

    def __init__(self, width: int, heads: int) -> None:
        super().__init__(width, heads, bias=False)
        self.out = Linear(width, width, use_bias=False)

    def __call__(self, x: Array) -> Array:
        return jax.vmap(self.out)(self.attended(x, None, causal=True))


class Mlp(eqx.Module):
    up: eqx.nn.Linear
    down: eqx.nn.Linear

    def __init__(self, width: int) -> None:
        self.up = Linear(width, 4 * width, use_bias=False)
        self.down = Linear(4 * width, width, use_bias=False)

    def __call__(self, x: Array) -> Array:
        return jax.vmap(self.down)(jax.nn.gelu(jax.vmap(self.up)(x)))


class Block(eqx.Module):
    ln_1: eqx.nn.RMSNorm
    attn: Plain
    ln_2: eqx.nn.RMSNorm
    mlp: Mlp

    def __init__(self, key: Array) -> None:
        self.ln_1 = eqx.nn.RMSNorm(64, eps=1e-6, use_bias=False)
        self.attn = Plain(64, HEADS["transformer"])
        self.ln_2 = eqx.nn.RMSNorm(64, eps=1e-6, use_bias=False)
        self.mlp = Mlp(64)

    def __call__(self, x: Array) -> Array:
        x = x + self.attn(jax.vmap(self.ln_1)(x))
        return x + self.mlp(jax.vmap(self.ln_2)(x))


def scanned(layers: Any, call: Any, x: Array) -> Array:
    arrays, static = eqx.partition(layers, eqx.is_array)

    def step(x: Array, own: Any) -> tuple[Array, None]:
        return call(eqx.combine(own, static), x), None

    return jax.lax.scan(step, x, arrays)[0]


class Coder(eqx.Module):
    wte: eqx.nn.Embedding
    wpe: eqx.nn.Embedding
    blocks: Block
    norm: eqx.nn.RMSNorm
    head: eqx.nn.Linear

    def __init__(self) -> None:
        self.wte, self.wpe = Embedding(128, 64), Embedding(64, 64)
        self.blocks = eqx.filter_vmap(Block)(jax.random.split(KEY, 4))
        self.norm = eqx.nn.RMSNorm(64, eps=1e-6, use_bias=False)
        self.head = Linear(64, 128, use_bias=False)

    def __call__(self, tokens: Array) -> Array:
        x = jax.vmap(self.wte)(tokens) + jax.vmap(self.wpe)(jnp.arange(len(tokens)))
        call = eqx.filter_checkpoint(lambda block, x: block(x))
        x = scanned(self.blocks, call, x)
        return jax.vmap(self.head)(jax.vmap(self.norm)(x))


class Lora(eqx.Module):
    a: Array
    b: Array

    def __init__(self, width: int) -> None:
        self.a = jax.random.normal(KEY, (width, RANK))
        self.b = jnp.zeros((RANK, width))

    def __call__(self, x: Array) -> Array:
        return (x @ self.a) @ self.b * SCALE


class Tuned(Attention):
    output: eqx.nn.Linear
    query_lora: Lora
    value_lora: Lora

    def __init__(self, width: int, heads: int) -> None:
        super().__init__(width, heads, bias=True)
        self.output = Linear(width, width)
        self.query_lora, self.value_lora = Lora(width), Lora(width)

    def project(self, name: str, x: Array) -> Array:
        y = super().project(name, x)
        return y if name == "key" else y + getattr(self, f"{name}_lora")(x)

    def __call__(self, x: Array, mask: Array) -> Array:
        return jax.vmap(self.output)(self.attended(x, mask, causal=False))


class Layer(eqx.Module):
    attention: Tuned
    attention_norm: eqx.nn.LayerNorm
    up: eqx.nn.Linear
    down: eqx.nn.Linear
    output_norm: eqx.nn.LayerNorm

    def __init__(self, key: Array) -> None:
        self.attention = Tuned(384, HEADS["lora"])
        self.attention_norm = eqx.nn.LayerNorm(384, eps=1e-12)
        self.up, self.down = Linear(384, 1536), Linear(1536, 384)
        self.output_norm = eqx.nn.LayerNorm(384, eps=1e-12)

    def __call__(self, x: Array, mask: Array) -> Array:
        x = jax.vmap(self.attention_norm)(x + self.attention(x, mask))
        h = jax.nn.gelu(jax.vmap(self.up)(x), approximate=False)
        return jax.vmap(self.output_norm)(x + jax.vmap(self.down)(h))


class Bert(eqx.Module):
    word: eqx.nn.Embedding
    token_type: eqx.nn.Embedding
    position: eqx.nn.Embedding
    norm: eqx.nn.LayerNorm
    encoder: Layer

    def __init__(self) -> None:
        self.word, self.token_type = Embedding(30522, 384), Embedding(2, 384)
        self.position = Embedding(512, 384)
        self.norm = eqx.nn.LayerNorm(384, eps=1e-12)
        self.encoder = eqx.filter_vmap(Layer)(jax.random.split(KEY, 6))

    def __call__(self, ids: Array, mask: Array) -> Array:
        x = jax.vmap(self.word)(ids) + jax.vmap(self.token_type)(jnp.zeros_like(ids))
        x = jax.vmap(self.norm)(x + jax.vmap(self.position)(jnp.arange(len(ids))))
        seen = (mask != 0)[None, None]
        x = scanned(self.encoder, lambda layer, x: layer(x, seen), x)
        weights = mask[:, None].astype(x.dtype)
        pooled = (x * weights).sum(0) / weights.sum()
        return pooled / jnp.linalg.norm(pooled)


class Classifier(eqx.Module):
    encoder: Bert
    head: eqx.nn.Linear

    def __init__(self) -> None:
        self.encoder, self.head = Bert(), Linear(384, 3)

    def __call__(self, ids: Array, mask: Array) -> Array:
        return self.head(self.encoder(ids, mask))


MODULES = {"cnn": Digits, "transformer": Coder, "lora": Classifier}


def loaded(module: Any, params: Any) -> Any:
    """The module with the numbers of Params, in the layouts of Equinox."""

    def array(path: Any, old: Array) -> Array:
        *names, last = [part.name for part in path]
        own = params
        for name in names:
            own = own[name]
        if last != "weight":
            new = own[last]
        elif "kernel" in own:
            new = own["kernel"]
            new = new.transpose(3, 2, 0, 1) if new.ndim == 4 else new.swapaxes(-1, -2)
        else:
            new = own["embedding"] if "embedding" in own else own["scale"]
        assert new.shape == old.shape, path
        return new

    arrays, static = eqx.partition(module, eqx.is_array)
    return eqx.combine(jax.tree_util.tree_map_with_path(array, arrays), static)


def training(name: str, params: Any) -> Training:
    module, start = eqx.nn.make_with_state(MODULES[name])()
    module = loaded(module, params)

    def is_trained(path: Any, leaf: Any) -> bool:
        names = [str(part.name) for part in path]
        lora = names[0] == "head" or names[-2].endswith("_lora")
        return eqx.is_inexact_array(leaf) and (name != "lora" or lora)

    wanted = jax.tree_util.tree_map_with_path(is_trained, module)
    trainable, others = eqx.partition(module, wanted)
    arrays, static = eqx.partition(others, eqx.is_array)

    def predict(
        trainable: Any, rest: Any, inputs: tuple[Array, ...], key: Array | None
    ) -> tuple[Array, Any]:
        arrays, state = rest
        model = eqx.combine(trainable, arrays, static)
        if name != "cnn":
            return jax.vmap(model)(*inputs), rest
        if key is None:
            model = eqx.nn.inference_mode(model)
            call = jax.vmap(model, (0, None, None), (0, None), axis_name="batch")
            return call(*inputs, state, None)[0], rest
        call = jax.vmap(model, (0, None, 0), (0, None), axis_name="batch")
        logits, state = call(*inputs, state, jax.random.split(key, len(inputs[0])))
        return logits, (arrays, state)

    return Training(predict, trainable, (arrays, start))
