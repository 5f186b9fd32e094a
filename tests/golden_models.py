"""The golden models, and the few that stand for all where nothing is `slow`."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from blox.schema import Graph, from_bytes

FOLDER = Path(__file__).parent / "models"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))
FEW = (
    "albert",
    "cached_decoder",
    "control_flow",
    "counters",
    "dropout_net",
    "literals",
    "prefixes",
    "small_resnet",
    "spectral",
    "state_everywhere",
    "tiny_gpt",
)
"""Each feature of the format that a golden model has is in one of them: a test says so."""


@cache
def graph_of(name: str) -> Graph:
    return from_bytes((FOLDER / f"{name}.json").read_bytes())


def few(cases: Iterable[tuple[Any, ...]]) -> list[Any]:
    """Values of parameters, of which the first is a model's name: `slow` without `FEW`."""
    return [
        pytest.param(*case, marks=() if case[0] in FEW else pytest.mark.slow)
        for case in cases
    ]


EACH = few((name,) for name in NAMES)
