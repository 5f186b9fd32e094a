"""CREPE tiny, as torchcrepe has it: 1024 samples of audio to 360 bins of pitch."""

import blox as bx


def layer(
    f: bx.F,
    x: bx.Value,
    *,
    features: int,
    kernel: int,
    pad: tuple[int, int],
    stride: int = 1,
) -> bx.Value:
    x = f.conv("conv", x, features, [kernel], strides=stride, padding=[pad])
    x = f.batch_norm("norm", f.relu(x), momentum=1.0, eps=1e-3)
    return f.max_pool(x, [2])


def crepe() -> bx.Graph:
    b = bx.GraphBuilder("crepe")

    @b.entry(audio=bx.Input(["batch", 1024]))
    def main(f: bx.F, audio: bx.Value) -> bx.Value:
        first = f.call("layer1", layer)
        x = first(audio[..., None], features=128, kernel=512, pad=(254, 254), stride=4)
        for i, features in enumerate((16, 16, 16, 32, 64), 2):
            run = f.call(f"layer{i}", layer)
            x = run(x, features=features, kernel=64, pad=(31, 32))
        return f.sigmoid(f.linear("classifier", f.flatten(x, 1), 360))

    return b.graph()
