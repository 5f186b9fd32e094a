"""PaLM of palm-jax, with rotary positions and with a bias."""

from __future__ import annotations

from typing import Any

import jax
from palm_jax import palm, palm_lite

import blox as bx

from . import Example

SIZES = {"num_tokens": 11, "dim": 8, "dim_head": 4, "depth": 2, "heads": 2}


def _palm(make: Any, **options: Any) -> Example:
    return Example(
        lambda m, tokens: m(tokens),
        {"tokens": bx.Input(["batch", "seq"], "int32")},
        make(**SIZES, **options, key=jax.random.key(0)),
        dims={"seq": {"max": 16}},
        sizes={"seq": 6},
    )


def rotary() -> Example:
    return _palm(palm.PaLM)


def lite() -> Example:
    return _palm(palm_lite.PaLM, max_seq_len=16)
