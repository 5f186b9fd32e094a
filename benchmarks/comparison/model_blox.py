"""The tagger in blox."""

import blox as bx


def block(f: bx.F, x: bx.Value, key: bx.Value, *, heads: int, rate: float) -> bx.Value:
    attn = f.call("attn", bx.recipes.multi_head_attention)
    h = attn(f.layer_norm("ln_1", x, eps=1e-5), heads=heads, use_bias=False)
    x = x + f.dropout("drop_1", h, rate, key=key)
    h = f.gelu(f.linear("up", f.layer_norm("ln_2", x, eps=1e-5), 4 * x.features))
    return x + f.dropout("drop_2", f.linear("down", h, x.features), rate, key=key)


def tagger(
    vocab: int = 64, width: int = 32, heads: int = 4, depth: int = 2, rate: float = 0.1
) -> bx.Graph:
    b = bx.GraphBuilder(
        "tagger", vocab=vocab, width=width, heads=heads, depth=depth, rate=rate
    )

    @b.entry(
        tokens=bx.Input(["batch", "time"], "int32"),
        key=bx.Input([], "key", optional=True),
    )
    def main(f: bx.F, tokens: bx.Value, key: bx.Value) -> bx.Value:
        x = f.embed("embed", tokens, b.vocab, b.width)
        x = f.conv("stem", x, b.width, kernel_size=[3])
        x = f.relu(f.batch_norm("norm", x, momentum=0.9))
        blocks = f.repeat("blocks", block, count=b.depth, scan=False)
        x = blocks(x, key, heads=b.heads, rate=b.rate)
        x = f.layer_norm("ln_f", x, eps=1e-5)
        return f.unembed("head", x, params="embed")

    return b.graph()
