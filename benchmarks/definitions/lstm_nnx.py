"""Resemblyzer's speaker encoder: three LSTMs, a linear map, a code of length 1."""

import jax.numpy as jnp
from flax import nnx
from jax import Array


class LSTM(nnx.Module):
    def __init__(self, mels: int = 40, hidden: int = 256, *, rngs: nnx.Rngs) -> None:
        self.layers = nnx.Sequential(
            *(
                nnx.RNN(nnx.OptimizedLSTMCell(features_in, hidden, rngs=rngs))
                for features_in in (mels, hidden, hidden)
            )
        )
        self.linear = nnx.Linear(hidden, hidden, rngs=rngs)

    def __call__(self, mels: Array) -> Array:
        x = self.layers(mels)
        code = nnx.relu(self.linear(x[:, -1]))
        return code / jnp.linalg.norm(code, axis=-1, keepdims=True)
