"""Small gray pictures as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

BLOCKS = " ░▒▓█"
PLAIN = " .:*#"
BLACK = 16
"""The value of a black pixel, 0 being white."""


def drawn(images: Sequence[Any], captions: Sequence[str], encoding: str | None) -> str:
    """Images of (height, width) side by side, each pixel two columns, captions below.

    `encoding` is the terminal's: where it has no blocks, punctuation does.
    """
    shades = BLOCKS if _can(encoding) else PLAIN
    height, width = len(images[0]), len(images[0][0])
    lines = []
    for y in range(height):
        rows = ("".join(2 * shades[_shade(v)] for v in image[y]) for image in images)
        lines.append("  ".join(rows).rstrip())
    lines.append("  ".join(c.center(2 * width) for c in captions).rstrip())
    return "\n".join(f"  {line}" for line in lines)


def _shade(value: Any) -> int:
    return min(int(value) * len(BLOCKS) // (BLACK + 1), len(BLOCKS) - 1)


def _can(encoding: str | None) -> bool:
    try:
        BLOCKS.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
