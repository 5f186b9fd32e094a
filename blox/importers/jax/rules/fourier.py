"""Fourier transforms of the last axes."""

from __future__ import annotations

from typing import Any

from ...views import View
from ..context import Missing
from ..internals import JaxprEqn, is_symbol
from ..lower import Lowering, output_of, rule
from .elementwise import modelled

KINDS = ("fft", "ifft", "rfft", "irfft")
"""By the number that JAX gives each."""


@rule("fft")
def fft(lower: Lowering, equation: JaxprEqn) -> View:
    shape, dtype = output_of(equation)
    x = lower.array(lower.read(equation.invars[0]))
    op = KINDS[int(equation.params["fft_type"])]
    lengths = list(equation.params["fft_lengths"])
    attributes: dict[str, Any] = {}
    if len(lengths) > 1:
        attributes["axis"] = list(range(-len(lengths), 0))
    if op == "irfft" and any(map(is_symbol, lengths)):
        raise Missing("irfft: of a length that has only a name; give it as a number")
    if op == "irfft":
        attributes["s" if len(lengths) > 1 else "n"] = (
            lengths if len(lengths) > 1 else lengths[0]
        )
    name = op + "n" * (len(lengths) > 1)
    return modelled(lower, lower.emit(name, {"x": x}, attributes, shape, dtype))
