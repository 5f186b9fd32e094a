"""ResNet-50 as torchvision has it: the stride stands at the 3x3 convolution."""

import blox as bx


def conv_norm(
    f: bx.F, x: bx.Value, *, features: int, kernel: int = 3, stride: int = 1
) -> bx.Value:
    size, pad = [kernel] * 2, [[kernel // 2] * 2] * 2
    x = f.conv("conv", x, features, size, strides=stride, padding=pad, use_bias=False)
    return f.batch_norm("norm", x)


def bottleneck(f: bx.F, x: bx.Value, *, width: int, stride: int) -> bx.Value:
    h = f.relu(f.call("a", conv_norm)(x, features=width, kernel=1))
    h = f.relu(f.call("b", conv_norm)(h, features=width, stride=stride))
    h = f.call("c", conv_norm)(h, features=4 * width, kernel=1)
    if x.features != 4 * width:
        short = f.call("short", conv_norm)
        x = short(x, features=4 * width, kernel=1, stride=stride)
    return f.relu(x + h)


def resnet50(
    depths: tuple[int, ...] = (3, 4, 6, 3), width: int = 64, classes: int = 1000
) -> bx.Graph:
    b = bx.GraphBuilder("resnet50", width=width, classes=classes)

    @b.entry(image=bx.Input(["batch", "rows", "columns", 3]))
    def main(f: bx.F, image: bx.Value) -> bx.Value:
        stem = f.call("stem", conv_norm)
        x = f.relu(stem(image, features=b.width, kernel=7, stride=2))
        x = f.max_pool(x, [3, 3], 2, padding=[[1, 1], [1, 1]])
        for i, depth in enumerate(depths):
            for j in range(depth):
                run = f.call(f"stage{i + 1}_{j}", bottleneck)
                x = run(x, width=b.width * 2**i, stride=2 if i and not j else 1)
        return f.linear("head", x.mean((1, 2)), b.classes)

    return b.graph()
