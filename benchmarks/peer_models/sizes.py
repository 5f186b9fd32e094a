"""Sizes of the models that are compared, and what a library has to give of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

DEPTH, WIDTH, HEADS, BATCH, TIME = 12, 128, 4, 4, 64
SIDE, COLORS, CHANNELS, STAGES, CLASSES = 32, 3, 16, 3, 10
POOLED = (8, 64, 64, 32)
ATTENDED = (8, 256, WIDTH)
NORMED, GROUPS = (16, 32, 32, 64), 8


@dataclass(frozen=True)
class Model:
    """A pure function of a tree of arrays and an input, and both.

    The function gives the output, or (output, new state). `shape` is that of the input,
    which a library may want with its channels first.
    """

    function: Callable[..., Any]
    params: Any
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Sequences:
    """Sizes of what is recurrent."""

    batch: int
    steps: int
    features: int
    units: int

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.batch, self.steps, self.features)


MANY, FEW = Sequences(32, 64, 256, 256), Sequences(4, 128, 64, 128)

Models = dict[str, Callable[[], Model]]
