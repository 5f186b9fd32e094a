"""What stands in a Graph in place of an array: numbers, booleans, infinite numbers."""

from __future__ import annotations

from typing import Any

from blox.schema.expressions import INFINITE

from .sizes import Real, Size, plain


def is_numeric(value: Any) -> bool:
    """True for numbers, with an expression or without; not for booleans."""
    return isinstance(value, (int, float, Size, Real)) and not isinstance(value, bool)


def is_literal(value: Any) -> bool:
    """True for numbers, booleans, and texts such as `"$-inf"`."""
    text = isinstance(value, str) and value in INFINITE
    return text or isinstance(value, bool) or is_numeric(value)


def number_of(literal: Any) -> Any:
    """What a literal is in Python, without its expression."""
    return INFINITE[literal] if isinstance(literal, str) else plain(literal)
