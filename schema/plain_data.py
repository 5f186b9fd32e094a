"""Plain data, as JSON has it, that a Graph keeps as it is: metadata, fields of others' ops."""

from __future__ import annotations

from typing import Any

from .field_values import is_number

MAX_DEPTH = 8
"""Lists and objects within each other."""


def is_plain(value: Any, depth: int = MAX_DEPTH) -> bool:
    """True of texts, finite numbers, booleans, null, and lists and objects of them."""
    if value is None or isinstance(value, (str, bool)) or is_number(value):
        return True
    if depth == 0:
        return False
    if isinstance(value, list):
        return all(is_plain(part, depth - 1) for part in value)
    if isinstance(value, dict):
        return all(
            isinstance(key, str) and is_plain(part, depth - 1)
            for key, part in value.items()
        )
    return False


def copied(value: Any) -> Any:
    """Plain data that may be changed."""
    if isinstance(value, dict):
        return {key: copied(part) for key, part in value.items()}
    return [copied(part) for part in value] if isinstance(value, list) else value
