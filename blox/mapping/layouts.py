"""Layouts: how arrays of theirs become arrays of ours, and back.

Each takes a list of arrays and gives one. In a rule they follow each other, from theirs to
ours: `Rule(("q.kernel", "k.kernel", "v.kernel"), "in_proj_weight", Split(3), Kernel())`.
"""

from __future__ import annotations

from .compact import Dequantize as Dequantize
from .compact import Merge as Merge
from .compact import Quantize as Quantize
from .parts import Concat as Concat
from .parts import Split as Split
from .parts import Stack as Stack
from .parts import Unstack as Unstack
from .rearrange import Rearrange as Rearrange
from .several import Constant as Constant
from .several import Copies as Copies
from .several import Fill as Fill
from .several import Same as Same
from .several import Sum as Sum
from .single import Affine as Affine
from .single import Cast as Cast
from .single import Crop as Crop
from .single import Gates as Gates
from .single import Kernel as Kernel
from .single import Pad as Pad
from .single import Transpose as Transpose
from .spec import Layout as Layout

ALL: dict[str, type[Layout]] = {
    layout.__name__: layout
    for layout in (
        Kernel, Transpose, Rearrange, Gates, Affine, Cast, Pad, Crop, Split, Concat, Unstack,
        Stack, Sum, Same, Copies, Constant, Fill, Merge, Quantize, Dequantize,
    )
}  # fmt: skip
"""Every layout by its name, which is that in JSON."""

__all__ = [*ALL, "Layout"]  # pyright: ignore[reportUnsupportedDunderAll]
