"""The mark of ops whose one expression reads better than a call of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

_F = TypeVar("_F", bound=Callable[..., object])


def inline(function: _F) -> _F:
    """Marks a function of one `return` that uses each parameter once, in order."""
    return function
