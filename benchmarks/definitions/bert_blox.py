"""The BERT of all-MiniLM-L6-v2: embeddings, post-norm layers, a pooler."""

import blox as bx


def layer(f: bx.F, x: bx.Value, mask: bx.Value, *, heads: int, hidden: int) -> bx.Value:
    attention = f.call("attention", bx.recipes.multi_head_attention)
    x = x + attention(x, mask=mask, heads=heads)
    x = f.layer_norm("attention_norm", x, eps=1e-12)
    h = f.gelu(f.linear("up", x, hidden), approximate=False)
    x = x + f.linear("down", h, x.features)
    return f.layer_norm("output_norm", x, eps=1e-12)


def bert(
    vocab: int = 30522,
    width: int = 384,
    depth: int = 6,
    heads: int = 12,
    hidden: int = 1536,
    context: int = 512,
    types: int = 2,
) -> bx.Graph:
    b = bx.GraphBuilder(
        "bert",
        vocab=vocab,
        width=width,
        depth=depth,
        heads=heads,
        hidden=hidden,
        context=context,
        types=types,
    )
    b.dim("seq", max=b.context)
    ids = bx.Input(["batch", "seq"], "int32")

    @b.entry(input_ids=ids, attention_mask=ids, token_type_ids=ids)
    def main(
        f: bx.F, input_ids: bx.Value, attention_mask: bx.Value, token_type_ids: bx.Value
    ) -> dict[str, bx.Value]:
        x = f.embed("word", input_ids, b.vocab, b.width)
        x = x + f.embed("token_type", token_type_ids, b.types, b.width)
        x = x + f.embed("position", f.arange(x.shape[1]), b.context, b.width)
        x = f.layer_norm("norm", x, eps=1e-12)
        run = f.repeat("encoder", layer, count=b.depth)
        x = run(x, f.padding_mask(attention_mask), heads=b.heads, hidden=b.hidden)
        pooled = f.tanh(f.linear("pooler", x[:, 0], b.width))
        return {"last_hidden_state": x, "pooler_output": pooled}

    return b.graph()
