"""ResNet-50 as torchvision has it: the stride stands at the 3x3 convolution."""

from flax import nnx
from jax import Array


class ConvNorm(nnx.Module):
    def __init__(
        self,
        features_in: int,
        features: int,
        kernel: int = 3,
        stride: int = 1,
        *,
        rngs: nnx.Rngs,
    ) -> None:
        self.conv = nnx.Conv(
            features_in,
            features,
            (kernel, kernel),
            stride,
            padding=kernel // 2,
            use_bias=False,
            rngs=rngs,
        )
        self.norm = nnx.BatchNorm(features, momentum=0.9, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        return self.norm(self.conv(x))


class Bottleneck(nnx.Module):
    def __init__(
        self, features_in: int, width: int, stride: int, *, rngs: nnx.Rngs
    ) -> None:
        self.a = ConvNorm(features_in, width, 1, rngs=rngs)
        self.b = ConvNorm(width, width, 3, stride, rngs=rngs)
        self.c = ConvNorm(width, 4 * width, 1, rngs=rngs)
        self.project = features_in != 4 * width
        if self.project:
            self.short = ConvNorm(features_in, 4 * width, 1, stride, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        h = nnx.relu(self.a(x))
        h = nnx.relu(self.b(h))
        h = self.c(h)
        if self.project:
            x = self.short(x)
        return nnx.relu(x + h)


class ResNet50(nnx.Module):
    def __init__(
        self,
        depths: tuple[int, ...] = (3, 4, 6, 3),
        width: int = 64,
        classes: int = 1000,
        *,
        rngs: nnx.Rngs,
    ) -> None:
        self.stem = ConvNorm(3, width, 7, 2, rngs=rngs)
        blocks, features = [], width
        for i, depth in enumerate(depths):
            for j in range(depth):
                stride = 2 if i and not j else 1
                blocks.append(Bottleneck(features, width * 2**i, stride, rngs=rngs))
                features = 4 * width * 2**i
        self.blocks = nnx.Sequential(*blocks)
        self.head = nnx.Linear(features, classes, rngs=rngs)

    def __call__(self, image: Array) -> Array:
        x = nnx.relu(self.stem(image))
        x = nnx.max_pool(x, (3, 3), (2, 2), padding=((1, 1), (1, 1)))
        return self.head(self.blocks(x).mean((1, 2)))
