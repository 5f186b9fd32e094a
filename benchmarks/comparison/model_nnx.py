"""The tagger in Flax NNX."""

from flax import nnx
from jax import Array


class Block(nnx.Module):
    def __init__(self, width: int, heads: int, rate: float, *, rngs: nnx.Rngs) -> None:
        self.ln_1 = nnx.LayerNorm(width, epsilon=1e-5, rngs=rngs)
        self.attn = nnx.MultiHeadAttention(
            heads, width, use_bias=False, decode=False, rngs=rngs
        )
        self.drop = nnx.Dropout(rate, rngs=rngs)
        self.ln_2 = nnx.LayerNorm(width, epsilon=1e-5, rngs=rngs)
        self.up = nnx.Linear(width, 4 * width, rngs=rngs)
        self.down = nnx.Linear(4 * width, width, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        x = x + self.drop(self.attn(self.ln_1(x)))
        return x + self.drop(self.down(nnx.gelu(self.up(self.ln_2(x)))))


class Tagger(nnx.Module):
    def __init__(
        self,
        vocab: int = 64,
        width: int = 32,
        heads: int = 4,
        depth: int = 2,
        rate: float = 0.1,
        *,
        rngs: nnx.Rngs,
    ) -> None:
        self.embed = nnx.Embed(vocab, width, rngs=rngs)
        self.stem = nnx.Conv(width, width, 3, rngs=rngs)
        self.norm = nnx.BatchNorm(width, momentum=0.9, rngs=rngs)
        self.blocks = nnx.List(
            Block(width, heads, rate, rngs=rngs) for _ in range(depth)
        )
        self.ln_f = nnx.LayerNorm(width, epsilon=1e-5, rngs=rngs)

    def __call__(self, tokens: Array) -> Array:
        x = nnx.relu(self.norm(self.stem(self.embed(tokens))))
        for block in self.blocks:
            x = block(x)
        return self.embed.attend(self.ln_f(x))
