"""Positions: rotary, sinusoidal, and biases of attention by distance.

Tables are float32 and made of positions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from ..deferred import Op, ParamOp
from ..fields import (
    Elsewhere,
    Float,
    OptionalSize,
    ParamSlot,
    Size,
    SizeOf,
    Tensor,
)
from ..initializers import EMBEDDING
from ..parameters import Leaf
from ..problems import Problem, too_many

MAX_HEADS = 2**20
MAX_BUCKETS = 2**12
"""Buckets of distances, whose edges are a list in the file."""


def _even(dim: object) -> Iterator[Problem]:
    if isinstance(dim, int) and dim % 2:
        yield Problem.expected("dim", "an even number", dim)


class RopeTable(Op):
    """`cos` and `sin` of the angles `position * theta ** (-2 i / dim)`, i < dim / 2.

    positions (..., time) -> `node.cos` and `node.sin`, (..., time, dim / 2) float32. Su et
    al., arXiv:2104.09864. For longer texts than a model was trained on, `original_length`
    positions, angles are scaled:

    - `linear`: divided by `factor` (arXiv:2306.15595).
    - `dynamic`: theta is multiplied by `(factor * length / original_length - factor + 1)
      ** (dim / (dim - 2))`, length being the greatest position along time plus 1, and
      `original_length` at least.
    - `yarn`: divided by `factor` where a pair of features turns less than `beta_slow` times
      over `original_length`, kept where it turns more than `beta_fast` times, between them
      by a line over the pairs, whose ends are whole pairs if `truncate`. cos and sin are
      multiplied by `attention_factor`, null being `0.1 * ln(factor) + 1`
      (arXiv:2309.00071).
    - `llama3`: divided where it turns less than `low_freq_factor` times, kept where it
      turns more than `high_freq_factor` times, between them by a line over the turns
      (arXiv:2407.21783).
    """

    OUTPUTS: ClassVar[tuple[str, ...]] = ("cos", "sin")
    ALSO: ClassVar[tuple[str, ...]] = ("rotary_positional_embedding",)

    op: Literal["rope_table"] = "rope_table"
    positions: Tensor
    dim: Size
    theta: Float = 10000.0
    scaling: Literal["none", "linear", "dynamic", "yarn", "llama3"] = "none"
    factor: Float = 1.0
    original_length: Size | None = None
    beta_fast: Float = 32.0
    beta_slow: Float = 1.0
    truncate: bool = True
    attention_factor: Float | None = None
    low_freq_factor: Float = 1.0
    high_freq_factor: Float = 4.0

    def problems(self) -> Iterator[Problem]:
        yield from _even(self.dim)
        above: list[tuple[str, float]] = [("theta", 0), ("factor", 0)]
        if self.scaling == "yarn":
            above = [("theta", 1), ("factor", 0), ("beta_slow", 0), ("beta_fast", 0)]
        if self.scaling == "llama3" and isinstance(self.low_freq_factor, (int, float)):
            above += [("high_freq_factor", self.low_freq_factor)]
        for name, least in above:
            value = getattr(self, name)
            if isinstance(value, (int, float)) and value <= least:
                yield Problem.expected(name, f"a number above {least}", value)
        if self.scaling == "none" and self.factor != 1:
            yield Problem.expected("factor", "1.0 where scaling is none", self.factor)
        yield from self._length_problems()

    def _length_problems(self) -> Iterator[Problem]:
        needed = self.scaling in ("dynamic", "yarn", "llama3")
        if needed and self.original_length is None:
            message = f"expected a size where scaling is {self.scaling}, found none"
            yield Problem("original_length", message)
        elif not needed and self.original_length is not None:
            wanted = f"no size where scaling is {self.scaling}"
            yield Problem.expected("original_length", wanted, self.original_length)
        elif isinstance(self.original_length, int) and self.original_length < 1:
            yield Problem.expected("original_length", "at least 1", 0)
        if self.scaling == "dynamic" and isinstance(self.dim, int) and self.dim < 4:
            yield Problem.expected(
                "dim", "at least 4 where scaling is dynamic", self.dim
            )


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
        "rotary_positional_embedding",
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


class Alibi(Op):
    """`-slope * |query position - key position|`, a bias of scores for each head.

    query_positions (..., q), key_positions (..., k) integer -> (..., heads, q, k) float32.
    Slopes are `2 ** (-8 i / n)`, i = 1..n, for the greatest power of two n <= heads, then
    every second one of those for 2 n. Press et al., arXiv:2108.12409.
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ()

    op: Literal["alibi"] = "alibi"
    query_positions: Tensor
    key_positions: Tensor
    heads: Size

    def problems(self) -> Iterator[Problem]:
        if isinstance(self.heads, int) and self.heads > MAX_HEADS:
            yield Problem.expected("heads", f"at most {MAX_HEADS}", self.heads)


class RelativeBias(ParamOp):
    """A bias of scores, of a table with a row for each bucket of distances: T5's.

    query_positions (..., q), key_positions (..., k) integer -> (..., heads, q, k);
    embedding (num_buckets, heads). The distance is `query - key`, 0 for keys behind the
    query; with `bidirectional` half of the buckets are for keys behind it. Of n buckets,
    n // 2 are for the distances 0, 1, ..., the rest grow in equal ratios up to
    `max_distance`, the last one having all beyond. Raffel et al., arXiv:1910.10683.
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ()
    ALSO: ClassVar[tuple[str, ...]] = ("relative_attention_bias", "t5_bias")

    op: Literal["relative_bias"] = "relative_bias"
    query_positions: Tensor
    key_positions: Tensor
    embedding: Annotated[ParamSlot, Elsewhere("weight")] = None
    num_buckets: Size = 32
    heads: OptionalSize = None
    max_distance: Size = 128
    bidirectional: bool

    def parameters(self) -> dict[str, Leaf]:
        return {"embedding": Leaf((self.num_buckets, self.heads), EMBEDDING)}

    def problems(self) -> Iterator[Problem]:
        buckets, far = self.num_buckets, self.max_distance
        if not isinstance(buckets, int):
            return
        least = 4 if self.bidirectional else 2
        if not least <= buckets <= MAX_BUCKETS or buckets % (least // 2):
            even = "an even number" if self.bidirectional else "a number"
            wanted = f"{even} from {least} to {MAX_BUCKETS}"
            yield Problem.expected("num_buckets", wanted, buckets)
        elif isinstance(far, int) and far <= (exact := buckets // least):
            yield Problem.expected("max_distance", f"a number above {exact}", far)


class WindowBias(ParamOp):
    """A bias of scores within a window, of a table with a row for each offset: Swin's.

    () -> (heads, n, n), n being the product of `window`, whose positions are in row-major
    order; embedding (product of 2 * window - 1, heads), the offsets `query - key` from
    the least to the greatest of each axis, in row-major order too. With `class_token`
    there is one more position in front and three more rows behind: of its query and any
    key, of its key and any query, of both, as in BEiT (arXiv:2106.08254). Liu et al.,
    arXiv:2103.14030.
    """

    ALSO: ClassVar[tuple[str, ...]] = (
        "relative_position_bias_table",
        "swin_bias",
        "beit_bias",
    )

    op: Literal["window_bias"] = "window_bias"
    embedding: Annotated[ParamSlot, Elsewhere("relative_position_bias_table")] = None
    window: list[Size]
    heads: OptionalSize = None
    class_token: bool = False

    def parameters(self) -> dict[str, Leaf]:
        rows = 1
        for size in self.window:
            rows = rows * (2 * size - 1)
        if self.class_token:
            rows = rows + 3
        return {"embedding": Leaf((rows, self.heads), EMBEDDING)}

    def problems(self) -> Iterator[Problem]:
        if not 1 <= len(self.window) <= 3:
            yield Problem.expected("window", "1 to 3 sizes", len(self.window))
        yield from too_many("window", [*self.window, *self.window])
