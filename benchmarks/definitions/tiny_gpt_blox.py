"""A small GPT: pre-norm blocks, scanned; the head shares the token embedding."""

import blox as bx


def block(f: bx.F, x: bx.Value, mask: bx.Value, *, heads: int) -> bx.Value:
    attn = f.call("attn", bx.recipes.multi_head_attention)
    x = x + attn(f.layer_norm("ln_1", x), mask=mask, heads=heads)
    h = f.gelu(f.linear("up", f.layer_norm("ln_2", x), 4 * x.features))
    return x + f.linear("down", h, x.features)


def tiny_gpt(
    vocab: int = 256,
    width: int = 64,
    depth: int = 4,
    heads: int = 4,
    context: int = 128,
) -> bx.Graph:
    b = bx.GraphBuilder(
        "tiny_gpt", vocab=vocab, width=width, depth=depth, heads=heads, context=context
    )
    b.dim("seq", max=b.context)

    @b.entry(tokens=bx.Input(["batch", "seq"], "int32"))
    def main(f: bx.F, tokens: bx.Value) -> bx.Value:
        at = f.arange(tokens.shape[1])
        mask = f.attention_mask(at, at, causal=True)
        x = f.embed("wte", tokens, b.vocab, b.width)
        x = x + f.embed("wpe", at, b.context, b.width)
        x = f.repeat("h", block, count=b.depth)(x, mask, heads=b.heads)
        return f.unembed("head", f.layer_norm("ln_f", x), params="wte")

    return b.graph()
