"""Arrays of the model that are stored in fewer bits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from ..deferred import ParamOp
from ..diagnostics import quote
from ..fields import ParamSlot, ShapeOf, Size
from ..initializers import ONES, ZEROS
from ..parameters import Leaf
from ..problems import Problem


class Dequantize(ParamOp):
    """An array that is stored as int8 and a scale, `values * scale`: () -> shape.

    values `shape` of int8; scale of the sizes `scale_shape`, each 1 or that of `shape`:
    `[1, out_features]` has one number for each output of a kernel of `linear`,
    `[num_embeddings, 1]` one for each row of a table. An array is quantised by
    `scale = max(abs(array)) / 127` over the axes of size 1, and
    `values = round(array / scale)`, ties to even. values are never trained, as no
    integers are.
    """

    ALSO: ClassVar[tuple[str, ...]] = ("dequantize_linear", "dequantize_per_channel")

    op: Literal["dequantize"] = "dequantize"
    values: ParamSlot = None
    scale: ParamSlot = None
    shape: Annotated[list[Size], ShapeOf()]
    scale_shape: list[Size]

    def parameters(self) -> dict[str, Leaf]:
        return {
            "values": Leaf(tuple(self.shape), ZEROS, dtype="int8"),
            "scale": Leaf(tuple(self.scale_shape), ONES),
        }

    def problems(self) -> Iterator[Problem]:
        wanted, found = self.shape, self.scale_shape
        pairs = list(zip(wanted, found, strict=False))
        if len(wanted) != len(found) or any(n not in (1, m) for m, n in pairs):
            text = f"the sizes of {quote(wanted)}, or 1 in place of some"
            yield Problem.expected("scale_shape", text, found)
