"""In blox: the models as Graphs; `peers.py` loads them and generates files of them."""

from __future__ import annotations

from collections.abc import Callable

import blox as bx

from .sizes import (
    ATTENDED,
    BATCH,
    CHANNELS,
    CLASSES,
    COLORS,
    DEPTH,
    FEW,
    GROUPS,
    HEADS,
    MANY,
    NORMED,
    POOLED,
    SIDE,
    STAGES,
    TIME,
    WIDTH,
    Sequences,
)

Body = Callable[[bx.F, bx.Value], bx.Value]


def graph(shape: tuple[int, ...], body: Body) -> bx.Graph:
    """The Graph of one function of an input of that shape."""
    b = bx.GraphBuilder("model")

    @b.entry(x=bx.Input([*shape], "float"))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return body(f, x)

    return b.graph()


def attention(f: bx.F, x: bx.Value) -> bx.Value:
    return f.call("attn", bx.recipes.multi_head_attention)(x, heads=HEADS)


def block(f: bx.F, x: bx.Value) -> bx.Value:
    x = x + attention(f, f.layer_norm("ln_1", x))
    h = f.gelu(f.linear("up", f.layer_norm("ln_2", x), 4 * WIDTH), approximate=True)
    return x + f.linear("down", h, WIDTH)


def transformer(scan: bool) -> Body:
    return lambda f, x: f.repeat("h", block, count=DEPTH, scan=scan)(x)


def residual(f: bx.F, x: bx.Value, *, features: int, strides: int) -> bx.Value:
    y = f.relu(f.conv("conv_1", x, features, kernel_size=[3, 3], strides=strides))
    y = f.conv("conv_2", y, features, kernel_size=[3, 3])
    skip = f.conv("skip", x, features, kernel_size=[1, 1], strides=strides)
    return f.relu(y + skip)


def conv_net(f: bx.F, x: bx.Value) -> bx.Value:
    x = f.relu(f.conv("stem", x, CHANNELS, kernel_size=[3, 3]))
    for i in range(STAGES):
        stage = f.call(f"stage_{i}", residual)
        x = stage(x, features=CHANNELS * 2**i, strides=1 if i == 0 else 2)
    return f.linear("head", f.mean(x, axis=[-3, -2]), CLASSES)


def pools(f: bx.F, x: bx.Value) -> bx.Value:
    x = f.max_pool(x, [3, 3], strides=2, padding="SAME")
    return f.avg_pool(x, [2, 2], strides=2)


def lstm(sizes: Sequences) -> bx.Graph:
    def body(f: bx.F, x: bx.Value) -> bx.Value:
        return f.call("lstm", bx.recipes.lstm)(x, units=sizes.units)["y"]

    return graph(sizes.shape, body)


def gru(sizes: Sequences) -> bx.Graph:
    def body(f: bx.F, x: bx.Value) -> bx.Value:
        return f.call("gru", bx.recipes.gru)(x, units=sizes.units)["y"]

    return graph(sizes.shape, body)


GRAPHS: dict[str, Callable[[], bx.Graph]] = {
    "transformer, unrolled": lambda: graph((BATCH, TIME, WIDTH), transformer(False)),
    "transformer, scanned": lambda: graph((BATCH, TIME, WIDTH), transformer(True)),
    "attention": lambda: graph(ATTENDED, attention),
    "conv net": lambda: graph((BATCH, SIDE, SIDE, COLORS), conv_net),
    "pooling": lambda: graph(POOLED, pools),
    "LSTM": lambda: lstm(MANY),
    "LSTM, batch of 4": lambda: lstm(FEW),
    "GRU": lambda: gru(MANY),
    "layer_norm": lambda: graph(NORMED, lambda f, x: f.layer_norm("norm", x)),
    "rms_norm": lambda: graph(NORMED, lambda f, x: f.rms_norm("norm", x)),
    "batch_norm": lambda: graph(NORMED, lambda f, x: f.batch_norm("norm", x)),
    "group_norm": lambda: graph(
        NORMED, lambda f, x: f.group_norm("norm", x, groups=GROUPS, spatial_axes=2)
    ),
}
