"""Other values for the attributes of a Graph, to see what sizes follow them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any, TypeAlias

from .trees import Symbol, is_number, value_of

Number: TypeAlias = Callable[[Symbol], Any]
"""What each symbol stands for."""
_PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)
_STEPS = (1, 4, 2, 6, 3, 5, 7)
"""By how much values move: two that lie apart by one number lie apart by another then."""


def sampled(values: Mapping[str, int | float]) -> Number:
    def number(symbol: Symbol) -> Any:
        if symbol.is_dim:
            return symbol.value
        if symbol.trace is None:
            return values[symbol.name]
        return value_of(symbol.trace.bindings[symbol], number)

    return number


def scaled(attributes: Mapping[str, Symbol], shift: int) -> dict[str, Any]:
    """Other values of the attributes, of which those divide each other that did."""
    values = {name: symbol.value for name, symbol in attributes.items()}
    primes = {n: _PRIMES[(i + shift) % len(_PRIMES)] for i, n in enumerate(values)}
    found = dict(values)
    for name, value in values.items():
        if type(value) is not int or value <= 0:
            continue
        for other, divisor in values.items():
            smaller = type(divisor) is int and 1 < divisor <= value
            if other == name or (smaller and value % divisor == 0):
                found[name] *= primes[other]
    return found


def moved(attributes: Mapping[str, Symbol], shift: int) -> dict[str, Any]:
    """Values a little above, each by another number, of which few divide each other."""
    found = {name: symbol.value for name, symbol in attributes.items()}
    for i, (name, value) in enumerate(found.items()):
        if type(value) is int and value > 0:
            found[name] = value + _STEPS[(i + 2 * shift) % len(_STEPS)]
    return found


def freely(seed: int) -> Number:
    """Numbers up to twice those that symbols have, whatever divides what; those that only
    a call gave are changed as well."""
    draws = Random(seed)
    known: dict[Symbol, Any] = {}

    def number(symbol: Symbol) -> Any:
        if symbol.is_dim or type(symbol.value) is not int or symbol.value < 0:
            return symbol.value
        if symbol.trace is not None and not is_number(symbol.trace.bindings[symbol]):
            return value_of(symbol.trace.bindings[symbol], number)
        if symbol not in known:
            known[symbol] = symbol.value + draws.randrange(symbol.value + 2)
        return known[symbol]

    return number
