"""CREPE tiny, as torchcrepe has it: 1024 samples of audio to 360 bins of pitch."""

from itertools import pairwise

from flax import nnx
from jax import Array


class Layer(nnx.Module):
    def __init__(
        self,
        features_in: int,
        features: int,
        kernel: int,
        pad: tuple[int, int],
        stride: int = 1,
        *,
        rngs: nnx.Rngs,
    ) -> None:
        self.conv = nnx.Conv(
            features_in, features, kernel, stride, padding=[pad], rngs=rngs
        )
        self.norm = nnx.BatchNorm(features, momentum=1.0, epsilon=1e-3, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        return nnx.max_pool(self.norm(nnx.relu(self.conv(x))), (2,), (2,))


class Crepe(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        layers = [Layer(1, 128, 512, (254, 254), stride=4, rngs=rngs)]
        for features_in, features in pairwise((128, 16, 16, 16, 32, 64)):
            layers.append(Layer(features_in, features, 64, (31, 32), rngs=rngs))
        self.layers = nnx.Sequential(*layers)
        self.classifier = nnx.Linear(256, 360, rngs=rngs)

    def __call__(self, audio: Array) -> Array:
        x = self.layers(audio[..., None])
        return nnx.sigmoid(self.classifier(x.reshape(x.shape[0], -1)))
