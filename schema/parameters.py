"""Parameters: what an array of the model is, how it starts. Initialisers as data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from pydantic import Field

from .strict import Strict

DType = Literal[
    "float", "float32", "float16", "bfloat16", "float64", "int8", "int16", "int32",
    "int64", "uint8", "uint16", "uint32", "uint64", "bool",
]  # fmt: skip
"""`"float"` is the model's floating type; every other name is concrete."""

FLOATS = frozenset({"float", "float32", "float16", "bfloat16", "float64"})
Kind = Literal["param", "buffer", "state"]

# Names and arguments are those of `jax.nn.initializers`, so that one rule writes and
# calls them all: `getattr(jax.nn.initializers, name)(**arguments)`.


class Zeros(Strict):
    """All zeros."""

    name: Literal["zeros"] = "zeros"


class Ones(Strict):
    """All ones."""

    name: Literal["ones"] = "ones"


class Constant(Strict):
    """Every element is `value`."""

    name: Literal["constant"] = "constant"
    value: float


class Normal(Strict):
    """Normal with mean 0 and standard deviation `stddev`."""

    name: Literal["normal"] = "normal"
    stddev: float = 0.01


class TruncatedNormal(Strict):
    """Normal cut off at `lower` and `upper` standard deviations, then scaled."""

    name: Literal["truncated_normal"] = "truncated_normal"
    stddev: float = 0.01
    lower: float = -2.0
    upper: float = 2.0


class Uniform(Strict):
    """Uniform on [0, scale)."""

    name: Literal["uniform"] = "uniform"
    scale: float = 0.01


class VarianceScaling(Strict):
    """Variance `scale / n`, n being the fan in, the fan out or their mean."""

    name: Literal["variance_scaling"] = "variance_scaling"
    scale: float
    mode: Literal["fan_in", "fan_out", "fan_avg", "fan_geo_avg"]
    distribution: Literal["normal", "truncated_normal", "uniform"]
    in_axis: int = -2
    out_axis: int = -1


class Orthogonal(Strict):
    """Orthogonal along `column_axis`, times `scale`."""

    name: Literal["orthogonal"] = "orthogonal"
    scale: float = 1.0
    column_axis: int = -1


class DeltaOrthogonal(Strict):
    """A convolution kernel that is orthogonal at its centre and zero elsewhere."""

    name: Literal["delta_orthogonal"] = "delta_orthogonal"
    scale: float = 1.0
    column_axis: int = -1


class KeyData(Strict):
    """The data of a key of its own, drawn from the key that `init` gets."""

    name: Literal["key_data"] = "key_data"


Initializer = Annotated[
    Zeros
    | Ones
    | Constant
    | Normal
    | TruncatedNormal
    | Uniform
    | VarianceScaling
    | Orthogonal
    | DeltaOrthogonal,
    Field(discriminator="name"),
]

LECUN_NORMAL = VarianceScaling(
    scale=1.0, mode="fan_in", distribution="truncated_normal"
)
EMBEDDING = Normal(stddev=0.02)


@dataclass(frozen=True, slots=True)
class Leaf:
    """One array of Params.

    `shape` is that of one copy; `stack` holds the counts of the scanned repeats and
    maps around it, outermost first, which come as leading axes. A size that a node
    doesn't know (a tied head) is None until the specs that meet at the path are joined.
    """

    shape: tuple[Any, ...]
    init: Any
    axes: tuple[str | None, ...] = ()
    dtype: str = "float"
    kind: Kind = "param"
    frozen: bool = False
    stack: tuple[int, ...] = ()
    below: tuple[int, ...] = ()
    """Per count of `stack`: how many parts of the path lie below that repeat."""

    @property
    def full_shape(self) -> tuple[int, ...]:
        return self.stack + self.shape

    @property
    def trainable(self) -> bool:
        return self.kind == "param" and not self.frozen and self.dtype in FLOATS

    def stacked(self, count: int, below: int) -> Leaf:
        return replace(self, stack=(count, *self.stack), below=(below, *self.below))
