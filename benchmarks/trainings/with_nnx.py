"""In Flax NNX, by its own layers; attributes are called as the parameters of the Graphs."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from .parts import HEADS, RANK, SCALE, Training


class Conv(nnx.Module):
    def __init__(self, wide: int, features: int, rngs: nnx.Rngs) -> None:
        self.conv = nnx.Conv(wide, features, (3, 3), use_bias=False, rngs=rngs)
        self.norm = nnx.BatchNorm(features, momentum=0.9, rngs=rngs)

    def __call__(self, x: Array, train: bool) -> Array:
        return nnx.relu(self.norm(self.conv(x), use_running_average=not train))


class Digits(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.first = Conv(1, 16, rngs)
        self.second = Conv(16, 32, rngs)
        self.drop = nnx.Dropout(0.3)
        self.head = nnx.Linear(512, 10, rngs=rngs)

    def __call__(self, images: Array, key: Array | None) -> Array:
        train = key is not None
        x = self.first((images / 16)[..., None], train)
        x = self.second(nnx.max_pool(x, (2, 2), (2, 2)), train)
        x = x.reshape(len(x), -1)
        return self.head(self.drop(x, deterministic=not train, rngs=key))


class Attention(nnx.Module):
    def __init__(self, width: int, heads: int, out: str, bias: bool, rngs: nnx.Rngs):
        linear = partial(nnx.Linear, width, width, use_bias=bias, rngs=rngs)
        self.query, self.key, self.value = linear(), linear(), linear()
        setattr(self, out, linear())
        self.heads, self.out_name = heads, out

    def project(self, name: str, x: Array) -> Array:
        return getattr(self, name)(x)

    def __call__(self, x: Array, mask: Array | None, causal: bool = False) -> Array:
        q, k, v = (
            self.project(n, x).reshape(*x.shape[:-1], self.heads, -1)
            for n in ("query", "key", "value")
        )
        y = jax.nn.dot_product_attention(q, k, v, mask=mask, is_causal=causal)
        return getattr(self, self.out_name)(y.reshape(x.shape))


class Mlp(nnx.Module):
    def __init__(self, width: int, rngs: nnx.Rngs) -> None:
        self.up = nnx.Linear(width, 4 * width, use_bias=False, rngs=rngs)
        self.down = nnx.Linear(4 * width, width, use_bias=False, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        return self.down(nnx.gelu(self.up(x)))


class Block(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.ln_1 = nnx.RMSNorm(64, rngs=rngs)
        self.attn = Attention(64, HEADS["transformer"], "out", False, rngs)
        self.ln_2 = nnx.RMSNorm(64, rngs=rngs)
        self.mlp = Mlp(64, rngs)

    def __call__(self, x: Array) -> Array:
        x = x + self.attn(self.ln_1(x), None, causal=True)
        return x + self.mlp(self.ln_2(x))


class Coder(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.wte = nnx.Embed(128, 64, rngs=rngs)
        self.wpe = nnx.Embed(64, 64, rngs=rngs)
        self.blocks = nnx.vmap(Block, in_axes=0)(rngs.fork(split=4))
        self.norm = nnx.RMSNorm(64, rngs=rngs)
        self.head = nnx.Linear(64, 128, use_bias=False, rngs=rngs)

    def __call__(self, tokens: Array, key: Array | None) -> Array:
        x = self.wte(tokens) + self.wpe(jnp.arange(tokens.shape[1]))

        @nnx.scan(in_axes=(nnx.Carry, 0), out_axes=nnx.Carry)
        @nnx.remat
        def run(x: Array, block: Block) -> Array:
            return block(x)

        return self.head(self.norm(run(x, self.blocks)))


class Lora(nnx.Module):
    def __init__(self, width: int, rngs: nnx.Rngs) -> None:
        self.a = nnx.Param(jax.random.normal(rngs.params(), (width, RANK)))
        self.b = nnx.Param(jnp.zeros((RANK, width)))

    def __call__(self, x: Array) -> Array:
        return (x @ self.a) @ self.b * SCALE


class Tuned(Attention):
    def __init__(self, width: int, heads: int, rngs: nnx.Rngs) -> None:
        super().__init__(width, heads, "output", True, rngs)
        self.query_lora, self.value_lora = Lora(width, rngs), Lora(width, rngs)

    def project(self, name: str, x: Array) -> Array:
        y = getattr(self, name)(x)
        return y if name == "key" else y + getattr(self, f"{name}_lora")(x)


class Layer(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.attention = Tuned(384, HEADS["lora"], rngs)
        self.attention_norm = nnx.LayerNorm(384, epsilon=1e-12, rngs=rngs)
        self.up = nnx.Linear(384, 1536, rngs=rngs)
        self.down = nnx.Linear(1536, 384, rngs=rngs)
        self.output_norm = nnx.LayerNorm(384, epsilon=1e-12, rngs=rngs)

    def __call__(self, x: Array, mask: Array) -> Array:
        x = self.attention_norm(x + self.attention(x, mask))
        h = nnx.gelu(self.up(x), approximate=False)
        return self.output_norm(x + self.down(h))


class Bert(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.word = nnx.Embed(30522, 384, rngs=rngs)
        self.token_type = nnx.Embed(2, 384, rngs=rngs)
        self.position = nnx.Embed(512, 384, rngs=rngs)
        self.norm = nnx.LayerNorm(384, epsilon=1e-12, rngs=rngs)
        self.encoder = nnx.vmap(Layer, in_axes=0)(rngs.fork(split=6))

    def __call__(self, ids: Array, mask: Array) -> Array:
        x = self.word(ids) + self.token_type(jnp.zeros_like(ids))
        x = self.norm(x + self.position(jnp.arange(ids.shape[1])))
        seen = (mask != 0)[:, None, None]

        @nnx.scan(in_axes=(nnx.Carry, 0), out_axes=nnx.Carry)
        def run(x: Array, layer: Layer) -> Array:
            return layer(x, seen)

        weights = mask[..., None].astype(x.dtype)
        pooled = (run(x, self.encoder) * weights).sum(1) / weights.sum(1)
        return pooled / jnp.linalg.norm(pooled, axis=-1, keepdims=True)


class Classifier(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.encoder = Bert(rngs)
        self.head = nnx.Linear(384, 3, rngs=rngs)

    def __call__(self, ids: Array, mask: Array, key: Array | None) -> Array:
        return self.head(self.encoder(ids, mask))


MODULES = {"cnn": Digits, "transformer": Coder, "lora": Classifier}


def is_trained(name: str) -> Any:
    def trained(path: tuple[Any, ...], value: Any) -> bool:
        lora = path[0] == "head" or str(path[-2]).endswith("_lora")
        return isinstance(value, nnx.Param) and (name != "lora" or lora)

    return trained


def training(name: str, params: Any) -> Training:
    """The module with the numbers of Params, as a function of its arrays."""
    module = MODULES[name](nnx.Rngs(0))
    for path, variable in nnx.to_flat_state(nnx.state(module)):
        found = params
        for part in path:
            found = found[part]
        assert variable.shape == found.shape, path
        variable.set_value(found)
        # `nnx.state` has the variables of the module, not copies.
    definition, trainable, rest = nnx.split(module, is_trained(name), ...)

    def predict(
        trainable: Any, rest: Any, inputs: tuple[Array, ...], key: Array | None
    ) -> tuple[Array, Any]:
        module = nnx.merge(definition, trainable, rest, copy=True)
        logits = module(*inputs, key)
        if key is None:
            return logits, rest
        return logits, nnx.split(module, is_trained(name), ...)[2]

    return Training(predict, trainable, rest)
