"""Layouts: how arrays of theirs become arrays of ours, and back.

Each takes a list of arrays and gives one. In a rule they follow each other, from theirs to
ours: `Rule(("q.kernel", "k.kernel", "v.kernel"), "in_proj_weight", Split(3), Kernel())`.
"""

from __future__ import annotations

from .rearrange import Rearrange
from .several import Concat, Constant, Copies, Fill, Same, Split, Stack, Sum, Unstack
from .single import Affine, Cast, Crop, Gates, Kernel, Pad, Transpose
from .spec import Layout

ALL: dict[str, type[Layout]] = {
    layout.__name__: layout
    for layout in (
        Kernel, Transpose, Rearrange, Gates, Affine, Cast, Pad, Crop, Split, Concat, Unstack,
        Stack, Sum, Same, Copies, Constant, Fill,
    )
}  # fmt: skip
"""Every layout by its name, which is that in JSON."""

__all__ = [*ALL, "Layout"]  # pyright: ignore[reportUnsupportedDunderAll]
