"""Resemblyzer's speaker encoder: three LSTMs, a linear map, a code of length 1."""

import blox as bx


def cell(f: bx.F, h: bx.Value, c: bx.Value, x: bx.Value) -> dict[str, bx.Value]:
    size = 4 * h.features
    gates = f.linear("input", x, size, use_bias=False) + f.linear("recurrent", h, size)
    i, forget, g, o = f.split(gates, 4, axis=-1)
    c = f.sigmoid(forget) * c + f.sigmoid(i) * f.tanh(g)
    h = f.sigmoid(o) * f.tanh(c)
    return {"h": h, "c": c, "y": h}


def lstm(mels: int = 40, hidden: int = 256) -> bx.Graph:
    b = bx.GraphBuilder("lstm", mels=mels, hidden=hidden)

    @b.entry(mels=bx.Input(["batch", "time", b.mels]))
    def main(f: bx.F, mels: bx.Value) -> bx.Value:
        x, start = mels, f.zeros([mels.shape[0], b.hidden])
        for i in range(3):
            x = f.scan(f"layer{i + 1}", cell, axis=1)(start, start, bx.slices(x))["y"]
        code = f.relu(f.linear("linear", x[:, -1], b.hidden))
        return code / f.norm(code, -1, keepdims=True)

    return b.graph()
