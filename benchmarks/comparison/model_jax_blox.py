"""The tagger in jax-blox, whose package is called `blox`; see `jax_blox.py`."""

import jax
import jax_blox as bx
from jax import Array


class Attention(bx.Module):
    def __init__(self, graph: bx.Graph, width: int, heads: int, rng: bx.Rng) -> None:
        super().__init__(graph)
        self.heads = heads
        self.query, self.key, self.value, self.out = (
            bx.Linear(graph.child(name), width, rng=rng, use_bias=False)
            for name in ("query", "key", "value", "out")
        )

    def __call__(self, params: bx.Params, x: Array) -> tuple[Array, bx.Params]:
        shape = (*x.shape[:-1], self.heads, x.shape[-1] // self.heads)
        q, params = self.query(params, x)
        k, params = self.key(params, x)
        v, params = self.value(params, x)
        y = jax.nn.dot_product_attention(*(a.reshape(shape) for a in (q, k, v)))
        return self.out(params, y.reshape(x.shape))


class Block(bx.Module):
    def __init__(
        self, graph: bx.Graph, width: int, heads: int, rate: float, rng: bx.Rng
    ) -> None:
        super().__init__(graph)
        self.ln_1 = bx.LayerNorm(graph.child("ln_1"), rng=rng)
        self.attn = Attention(graph.child("attn"), width, heads, rng)
        self.drop = bx.Dropout(graph.child("drop"), rate, rng)
        self.ln_2 = bx.LayerNorm(graph.child("ln_2"), rng=rng)
        self.up = bx.Linear(graph.child("up"), 4 * width, rng)
        self.down = bx.Linear(graph.child("down"), width, rng)

    def __call__(
        self, params: bx.Params, x: Array, train: bool
    ) -> tuple[Array, bx.Params]:
        h, params = self.ln_1(params, x)
        h, params = self.attn(params, h)
        h, params = self.drop(params, h, train)
        x = x + h
        h, params = self.ln_2(params, x)
        h, params = self.up(params, h)
        h, params = self.down(params, jax.nn.gelu(h))
        h, params = self.drop(params, h, train)
        return x + h, params


class Tagger(bx.Module):
    def __init__(
        self,
        graph: bx.Graph,
        vocab: int = 64,
        width: int = 32,
        heads: int = 4,
        depth: int = 2,
        rate: float = 0.1,
        *,
        rng: bx.Rng,
    ) -> None:
        super().__init__(graph)
        self.embed = bx.Embed(graph.child("embed"), vocab, width, rng)
        self.stem = bx.Conv(graph.child("stem"), 3, width, rng)
        self.norm = bx.BatchNorm(graph.child("norm"), rng=rng)
        self.blocks = [
            Block(graph.child(f"block_{i}"), width, heads, rate, rng)
            for i in range(depth)
        ]
        self.ln_f = bx.LayerNorm(graph.child("ln_f"), rng=rng)

    def __call__(
        self, params: bx.Params, tokens: Array, train: bool = True
    ) -> tuple[Array, bx.Params]:
        x, params = self.embed(params, tokens)
        x, params = self.stem(params, x)
        x, params = self.norm(params, x, train)
        x = jax.nn.relu(x)
        for block in self.blocks:
            x, params = block(params, x, train)
        x, params = self.ln_f(params, x)
        return self.embed.attend(params, x)
