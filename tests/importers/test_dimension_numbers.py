"""Gathers and scatters of JAX with any dimension numbers, drawn at random."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import blox as bx

MODES = ("clip", "fill", "promise_in_bounds")
SCATTERS = (
    lax.scatter,
    lax.scatter_add,
    lax.scatter_mul,
    lax.scatter_min,
    lax.scatter_max,
)


@dataclass(frozen=True)
class Drawn:
    """A gather."""

    x: Any
    at: Any
    numbers: lax.GatherDimensionNumbers
    sizes: tuple[int, ...]
    mode: str

    @classmethod
    def of(cls, rng: np.random.Generator) -> Drawn:
        rank = int(rng.integers(1, 5))
        shape = [int(n) for n in rng.integers(1, 5, rank)]
        axes = [int(a) for a in rng.permutation(rank)]
        count = int(rng.integers(0, min(2, rank - 1) + 1)) if rng.random() < 0.4 else 0
        batch, rest = sorted(axes[:count]), axes[count:]
        start = rest[: int(rng.integers(1, len(rest) + 1))]
        sizes = list(shape)
        for i in range(rank):
            if i in batch or (i in start and rng.random() < 0.6):
                sizes[i] = 1
            elif i in start or rng.random() < 0.2:
                sizes[i] = int(rng.integers(1, shape[i] + 1))
        gone = sorted(i for i in rest if sizes[i] == 1 and rng.random() < 0.7)
        free = [int(n) for n in rng.integers(1, 4, int(rng.integers(0, 3)))]
        frame = [*free, *(shape[b] for b in batch)]
        order = [int(p) for p in rng.permutation(len(frame))]
        window = rank - len(gone) - len(batch)
        places = rng.permutation(len(frame) + window)[:window]
        at = rng.integers(-2, 6, (*(frame[p] for p in order), len(start)))
        mode = MODES[int(rng.integers(0, 3))]
        if mode == "promise_in_bounds":
            at = np.clip(at, 0, [shape[a] - sizes[a] for a in start])
        numbers = lax.GatherDimensionNumbers(
            tuple(sorted(map(int, places))),
            tuple(gone),
            tuple(start),
            tuple(batch),
            tuple(order.index(len(free) + k) for k in range(len(batch))),
        )
        x = jnp.asarray(rng.normal(size=shape), "float32")
        return cls(x, jnp.asarray(at, "int32"), numbers, tuple(sizes), mode)


def refusal(function: Any, x: Any, at: Any) -> str:
    """Why it is not imported; "" where it is, and gives the same."""
    inputs = {"x": bx.Input(list(x.shape)), "at": bx.Input(list(at.shape), "int32")}
    try:
        graph, params, _ = bx.from_jax(function, inputs, name="model", check=False)
    except bx.SpecError as error:
        return str(error)
    found, _ = bx.build(graph)(params, x, at)
    np.testing.assert_allclose(found, function(x, at), rtol=1e-5, atol=1e-5)
    return ""


@pytest.mark.slow
def test_gathers_give_the_same_whatever_their_numbers() -> None:
    reasons: Counter[str] = Counter()
    for seed in range(24):
        drawn = Drawn.of(np.random.default_rng(seed))

        def gather(x: Any, at: Any, drawn: Drawn = drawn) -> Any:
            return lax.gather(x, at, drawn.numbers, drawn.sizes, mode=drawn.mode)

        reasons[refusal(gather, drawn.x, drawn.at)] += 1
    assert reasons[""] == 24, reasons


@pytest.mark.slow
def test_scatters_give_the_same_whatever_their_numbers() -> None:
    reasons: Counter[str] = Counter()
    for seed in range(24):
        rng = np.random.default_rng(seed)
        drawn = Drawn.of(rng)
        written = SCATTERS[int(rng.integers(0, len(SCATTERS)))]
        numbers = lax.ScatterDimensionNumbers(*drawn.numbers)
        read = lax.gather(drawn.x, drawn.at, drawn.numbers, drawn.sizes, mode="clip")
        # What is set twice is one number, as the order is not defined.
        drawn_updates = np.full(read.shape, 2.5), rng.normal(size=read.shape)
        updates = jnp.asarray(drawn_updates[written is not lax.scatter], "float32")

        def scatter(
            x: Any,
            at: Any,
            given: Any = (written, updates, numbers, drawn.mode),
        ) -> Any:
            write, new, by, mode = given
            return write(x, at, new, by, mode=mode)

        reasons[refusal(scatter, drawn.x, drawn.at)] += 1
    assert reasons[""] >= 23, reasons
