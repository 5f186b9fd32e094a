"""The GPT of the libraries, written with the builder."""

from __future__ import annotations

import blox as bx

VOCAB, WIDTH, DEPTH, HEADS, CONTEXT = 64, 32, 3, 4, 16


def attention(f: bx.F, x: bx.Value, *, apart: bool) -> bx.Value:
    if apart:
        size = (WIDTH, HEADS, WIDTH // HEADS)
        q, k, v = (
            f.einsum_linear(name, x, "...d,dhk->...hk", size)
            for name in ("query", "key", "value")
        )
        mixed = f.dot_product_attention(q, k, v, causal=True)
        return f.einsum_linear("out", mixed, "...hk,hkd->...d", (*size[1:], WIDTH))
    parts = f.split(f.linear("qkv", x, 3 * WIDTH), axis=-1, names=["q", "k", "v"])
    q, k, v = (f.reshape(p, [*x.shape[:2], HEADS, WIDTH // HEADS]) for p in parts)
    mixed = f.dot_product_attention(q, k, v, causal=True)
    return f.linear("proj", f.flatten(mixed, -2), WIDTH)


def mlp(f: bx.F, x: bx.Value) -> bx.Value:
    hidden = f.gelu(f.linear("up", x, 4 * WIDTH), approximate=True)
    return f.linear("down", hidden, WIDTH)


def block(
    f: bx.F, x: bx.Value, key: bx.Value | None = None, *, apart: bool
) -> bx.Value:
    def kept(name: str, y: bx.Value) -> bx.Value:
        return f.dropout(name, y, 0.1, key=key) if key is not None else y

    y = f.call("attn", attention)(f.layer_norm("ln_1", x), apart=apart)
    x = x + kept("drop_1", y)
    return x + kept("drop_2", f.call("mlp", mlp)(f.layer_norm("ln_2", x)))


def gpt(*, apart: bool = False, dropout: bool = False) -> bx.Graph:
    """tokens (batch, seq) -> logits (batch, seq, vocab), by the table of the tokens.

    Args:
        apart: query, key and value by layers of their own, whose kernels have heads.
    """
    b = bx.GraphBuilder("gpt")
    b.dim("seq", max=CONTEXT)

    @b.entry(tokens=bx.Input(["batch", "seq"], "int32"))
    def main(f: bx.F, tokens: bx.Value) -> bx.Value:
        wte = f.param("wte", [VOCAB, WIDTH])
        x = f.take(wte, tokens, axis=0)
        x = x + f.embed("wpe", f.arange(tokens.shape[1]), CONTEXT, WIDTH)
        key = {"key": f.rng("rng")} if dropout else {}
        x = f.repeat("blocks", block, count=DEPTH)(x, **key, apart=apart)
        return f.matmul(f.layer_norm("ln_f", x), f.swapaxes(wte, -1, -2))

    return b.graph()
