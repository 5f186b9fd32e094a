"""Keys of JAX's trees as paths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...trace import Path


def path_of(keys: Sequence[Any]) -> Path:
    """Keys of JAX as a path: names of attributes, keys of dicts, places in lists."""
    found: list[str | int] = []
    for key in keys:
        for attribute in ("name", "key", "idx"):
            if hasattr(key, attribute):
                found.append(getattr(key, attribute))
                break
    return tuple(found)


def nested(arrays: Mapping[Path, Any]) -> dict[str | int, Any]:
    """Arrays by path as a tree of dicts."""
    tree: dict[str | int, Any] = {}
    for path, array in arrays.items():
        at = tree
        for part in path[:-1]:
            at = at.setdefault(part, {})
        at[path[-1]] = array
    return tree
