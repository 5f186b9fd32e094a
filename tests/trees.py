"""Trees of arrays, compared by their form."""

from __future__ import annotations

from typing import Any

import jax


def same_structure(a: Any, b: Any) -> bool:
    """Whether two trees have the same nodes."""
    forms: list[Any] = [jax.tree.structure(a), jax.tree.structure(b)]
    return bool(forms[0] == forms[1])
