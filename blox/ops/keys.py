"""Keys of parts: JAX's own fold_in, by name or by step."""

from __future__ import annotations

from typing import Any
from zlib import crc32

import jax
from jax import Array


def fold_in(key: Any, part: str | int | Array) -> Any:
    """The key of a part, by its name or step; None stays None."""
    if key is None:
        return None
    data = crc32(part.encode()) if isinstance(part, str) else part
    return jax.random.fold_in(key, data)
