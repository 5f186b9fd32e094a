"""Initialisers by the names that other libraries have for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def _scaled(scale: float, mode: str, distribution: str) -> dict[str, Any]:
    return {
        "name": "variance_scaling",
        "scale": scale,
        "mode": mode,
        "distribution": distribution,
    }


ELSEWHERE: Mapping[str, dict[str, Any]] = {
    "lecun_normal": _scaled(1.0, "fan_in", "truncated_normal"),
    "lecun_uniform": _scaled(1.0, "fan_in", "uniform"),
    "glorot_normal": _scaled(1.0, "fan_avg", "truncated_normal"),
    "xavier_normal": _scaled(1.0, "fan_avg", "truncated_normal"),
    "glorot_uniform": _scaled(1.0, "fan_avg", "uniform"),
    "xavier_uniform": _scaled(1.0, "fan_avg", "uniform"),
    "he_normal": _scaled(2.0, "fan_in", "truncated_normal"),
    "kaiming_normal": _scaled(2.0, "fan_in", "truncated_normal"),
    "he_uniform": _scaled(2.0, "fan_in", "uniform"),
    "kaiming_uniform": _scaled(2.0, "fan_in", "uniform"),
    "torch.nn.init.xavier_normal_": _scaled(1.0, "fan_avg", "normal"),
    "torch.nn.init.xavier_uniform_": _scaled(1.0, "fan_avg", "uniform"),
    "torch.nn.init.kaiming_normal_": _scaled(2.0, "fan_in", "normal"),
    "torch.nn.init.kaiming_uniform_": _scaled(2.0, "fan_in", "uniform"),
    "torch.nn.Linear": _scaled(1 / 3, "fan_in", "uniform"),
    "torch.nn.Conv2d": _scaled(1 / 3, "fan_in", "uniform"),
    "torch.nn.Embedding": {"name": "normal", "stddev": 1.0},
}
"""Initialisers by their names in JAX and Keras, then functions and layers of PyTorch."""
