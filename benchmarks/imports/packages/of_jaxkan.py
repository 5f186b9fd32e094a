"""Kolmogorov-Arnold networks of jaxkan, by their basis."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from jaxkan.models import KAN, KKAN, RGAKAN, ActNet

import blox as bx

from . import Example


def _network(model: Any) -> Example:
    return Example(lambda m, x: m(x), {"x": bx.Input(["batch", 3])}, model)


def _kan(layer: str, **settings: Any) -> Example:
    return _network(KAN.KAN([3, 4, 2], layer, settings))


def act_net() -> Example:
    return _network(ActNet.ActNet([3, 4, 2]))


def kkan() -> Example:
    return _network(KKAN.KKAN(3, 2, m=4, D_e=3, H=4, L=2))


def rga_kan() -> Example:
    return _network(RGAKAN.RGAKAN(3, 2, 3, 2, D=3))


LAYERS: dict[str, Callable[[], Example]] = {
    "base": partial(_kan, "base", k=3, G=4),
    "efficient": partial(_kan, "spline", k=3, G=4),
    "chebyshev": partial(_kan, "chebyshev", D=4),
    "legendre": partial(_kan, "legendre", D=4),
    "fourier": partial(_kan, "fourier", D=4),
    "rbf": partial(_kan, "rbf", D=4),
    "sine": partial(_kan, "sine", D=4),
}
