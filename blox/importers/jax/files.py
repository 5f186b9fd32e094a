"""Which files are the model's own, and which are those of libraries below it."""

from __future__ import annotations

import sysconfig
from functools import lru_cache
from pathlib import Path

LIBRARIES = (
    "jax",
    "jaxlib",
    "numpy",
    "scipy",
    "equinox",
    "flax",
    "haiku",
    "optax",
    "einops",
    "jaxtyping",
    "beartype",
    "typeguard",
    "wadler_lindig",
    "chex",
    "blox",
)
"""What is called from a model and is none of it."""
_STANDARD = tuple(sysconfig.get_paths()[k] for k in ("stdlib", "platstdlib"))
_HERE = str(Path(__file__).parents[2])


@lru_cache(maxsize=4096)
def is_own(file: str) -> bool:
    """True for a file that is of a model, and of no library below it."""
    if file.startswith("<") and not file.startswith("<ipython"):
        return False
    parts = file.replace("\\", "/").split("/")
    for folder in ("site-packages", "dist-packages"):
        if folder in parts:
            return parts[parts.index(folder) + 1] not in LIBRARIES
    return not file.startswith((*_STANDARD, f"{_HERE}/"))
