"""Positions: rotary and sinusoidal. Tables are float32 and made of positions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from ..deferred import Op
from ..fields import Float, Size, SizeOf, Tensor
from ..problems import Problem


def _even(dim: object) -> Iterator[Problem]:
    if isinstance(dim, int) and dim % 2:
        yield Problem.expected("dim", "an even number", dim)


class RopeTable(Op):
    """`cos` and `sin` of the angles `position * theta ** (-2 i / dim)`, i < dim / 2.

    positions (..., time) -> `node.cos` and `node.sin`, (..., time, dim / 2) float32.
    `scaling` of `linear` divides positions by `factor` (arXiv:2306.15595). Su et al.,
    arXiv:2104.09864.
    """

    OUTPUTS: ClassVar[tuple[str, ...]] = ("cos", "sin")

    op: Literal["rope_table"] = "rope_table"
    positions: Tensor
    dim: Size
    theta: Float = 10000.0
    scaling: Literal["none", "linear"] = "none"
    factor: Float = 1.0

    def problems(self) -> Iterator[Problem]:
        yield from _even(self.dim)
        for name in ("theta", "factor"):
            value = getattr(self, name)
            if isinstance(value, (int, float)) and value <= 0:
                yield Problem.expected(name, "a number above 0", value)
        if self.scaling == "none" and self.factor != 1:
            yield Problem.expected("factor", "1.0 where scaling is none", self.factor)


class Rope(Op):
    """Turns pairs of features by the angles of a `rope_table`.

    x (..., time, heads, head_dim), cos and sin (..., time, head_dim / 2) -> as x.
    `a, b = a * cos - b * sin, b * cos + a * sin`, a and b being the two halves of the
    features (`half_split`: Llama, NeoX) or the even and the odd ones (`interleaved`:
    RoFormer, GPT-J).
    """

    ALSO: ClassVar[tuple[str, ...]] = (
        "rotary",
        "rotary_embedding",
        "apply_rotary_pos_emb",
    )

    op: Literal["rope"] = "rope"
    x: Tensor
    cos: Tensor
    sin: Tensor
    layout: Literal["half_split", "interleaved"] = "half_split"


class Sinusoidal(Op):
    """`sin` and `cos` of the angles `position * theta ** (-2 i / dim)`, i < dim / 2.

    positions (..., time) -> (..., time, dim) float32: all sines, then all cosines
    (`half_split`), or sine and cosine in turn (`interleaved`, as in the paper). Vaswani
    et al., arXiv:1706.03762.
    """

    ALSO: ClassVar[tuple[str, ...]] = ("positional_encoding", "sinusoidal_embedding")

    op: Literal["sinusoidal"] = "sinusoidal"
    positions: Tensor
    dim: Annotated[Size, SizeOf("out")]
    theta: Float = 10000.0
    layout: Literal["half_split", "interleaved"] = "interleaved"

    def problems(self) -> Iterator[Problem]:
        yield from _even(self.dim)
        if isinstance(self.theta, (int, float)) and self.theta <= 0:
            yield Problem.expected("theta", "a number above 0", self.theta)
