"""What a library gives of a training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jax import Array

HEADS = {"cnn": 0, "transformer": 4, "lora": 12}
RANK, SCALE = 8, 2.0

Predict = Callable[[Any, Any, tuple[Array, ...], Array | None], tuple[Array, Any]]


@dataclass(frozen=True)
class Training:
    """A model as a pure function of two trees of arrays.

    Attributes:
        predict: (trainable, rest, inputs, key) -> (logits, rest as it is then). In
            training there is a key; without one nothing drops, and statistics stay.
        trainable: what is trained.
        rest: statistics and frozen arrays.
    """

    predict: Predict
    trainable: Any
    rest: Any
