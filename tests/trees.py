"""Trees of arrays, compared by their structure."""

from __future__ import annotations

from typing import Any

import jax


def same_structure(a: Any, b: Any) -> bool:
    """True if two trees have the same nodes."""
    structures: list[Any] = [jax.tree.structure(a), jax.tree.structure(b)]
    return bool(structures[0] == structures[1])
