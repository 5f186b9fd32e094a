"""The BERT of all-MiniLM-L6-v2: embeddings, post-norm layers, a pooler."""

import jax.numpy as jnp
from flax import nnx
from jax import Array


class Layer(nnx.Module):
    def __init__(self, width: int, heads: int, hidden: int, *, rngs: nnx.Rngs) -> None:
        self.attention = nnx.MultiHeadAttention(heads, width, decode=False, rngs=rngs)
        self.attention_norm = nnx.LayerNorm(width, epsilon=1e-12, rngs=rngs)
        self.up = nnx.Linear(width, hidden, rngs=rngs)
        self.down = nnx.Linear(hidden, width, rngs=rngs)
        self.output_norm = nnx.LayerNorm(width, epsilon=1e-12, rngs=rngs)

    def __call__(self, x: Array, mask: Array) -> Array:
        x = self.attention_norm(x + self.attention(x, mask=mask))
        h = nnx.gelu(self.up(x), approximate=False)
        return self.output_norm(x + self.down(h))


class Bert(nnx.Module):
    def __init__(
        self,
        vocab: int = 30522,
        width: int = 384,
        depth: int = 6,
        heads: int = 12,
        hidden: int = 1536,
        context: int = 512,
        types: int = 2,
        *,
        rngs: nnx.Rngs,
    ) -> None:
        self.word = nnx.Embed(vocab, width, rngs=rngs)
        self.token_type = nnx.Embed(types, width, rngs=rngs)
        self.position = nnx.Embed(context, width, rngs=rngs)
        self.norm = nnx.LayerNorm(width, epsilon=1e-12, rngs=rngs)

        @nnx.split_rngs(splits=depth)
        @nnx.vmap
        def layers(rngs: nnx.Rngs) -> Layer:
            return Layer(width, heads, hidden, rngs=rngs)

        self.encoder = layers(rngs)
        self.pooler = nnx.Linear(width, width, rngs=rngs)

    def __call__(
        self, input_ids: Array, attention_mask: Array, token_type_ids: Array
    ) -> dict[str, Array]:
        mask = (attention_mask != 0)[:, None, None]
        x = self.word(input_ids) + self.token_type(token_type_ids)
        x = self.norm(x + self.position(jnp.arange(x.shape[1])))

        @nnx.scan(in_axes=(nnx.Carry, 0), out_axes=nnx.Carry)
        def run(x: Array, layer: Layer) -> Array:
            return layer(x, mask)

        x = run(x, self.encoder)
        pooled = nnx.tanh(self.pooler(x[:, 0]))
        return {"last_hidden_state": x, "pooler_output": pooled}
