"""Initialisers as data: how an array of the model starts."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import Field

from .strict import Strict


class Start(Strict):
    """The base of initialisers.

    Names and arguments are those of `jax.nn.initializers`, so that one rule writes and
    calls them all: `getattr(jax.nn.initializers, name)(**arguments)`.
    """

    DRAWS: ClassVar[bool] = True
    """True where it gives floats alone."""
    DIRECT: ClassVar[bool] = False
    """True where JAX's function is the initialiser itself, and not what makes one."""
    WIDE: ClassVar[bool] = False
    """True where it calculates in 32 bits at least."""

    name: Any  # a Literal in every class

    def fits(self, rank: int) -> bool:
        """True where the axes that it names are those of an array of `rank`."""
        return True


class Zeros(Start):
    """All zeros."""

    DIRECT: ClassVar[bool] = True
    DRAWS: ClassVar[bool] = False

    name: Literal["zeros"] = "zeros"


class Ones(Start):
    """All ones."""

    DIRECT: ClassVar[bool] = True
    DRAWS: ClassVar[bool] = False

    name: Literal["ones"] = "ones"


class Constant(Start):
    """Every element is `value`."""

    DRAWS: ClassVar[bool] = False

    name: Literal["constant"] = "constant"
    value: float


class Normal(Start):
    """Normal with mean 0 and standard deviation `stddev`."""

    name: Literal["normal"] = "normal"
    stddev: float = 0.01


class TruncatedNormal(Start):
    """Normal cut off at `lower` and `upper` standard deviations, then scaled."""

    name: Literal["truncated_normal"] = "truncated_normal"
    stddev: float = 0.01
    lower: float = -2.0
    upper: float = 2.0


class Uniform(Start):
    """Uniform on [0, scale)."""

    name: Literal["uniform"] = "uniform"
    scale: float = 0.01


class VarianceScaling(Start):
    """Variance `scale / n`, n being the fan in, the fan out or their mean."""

    name: Literal["variance_scaling"] = "variance_scaling"
    scale: float
    mode: Literal["fan_in", "fan_out", "fan_avg", "fan_geo_avg"]
    distribution: Literal["normal", "truncated_normal", "uniform"]
    in_axis: int = -2
    out_axis: int = -1

    def fits(self, rank: int) -> bool:
        axes = (self.in_axis, self.out_axis)
        return rank >= 2 and all(-rank <= axis < rank for axis in axes)


class Orthogonal(Start):
    """Orthogonal along `column_axis`, times `scale`."""

    WIDE: ClassVar[bool] = True  # there is no decomposition in 16 bits

    name: Literal["orthogonal"] = "orthogonal"
    scale: float = 1.0
    column_axis: int = -1

    def fits(self, rank: int) -> bool:
        return rank >= 2 and -rank <= self.column_axis < rank


class DeltaOrthogonal(Start):
    """A convolution kernel that is orthogonal at its centre and zero elsewhere."""

    WIDE: ClassVar[bool] = True

    name: Literal["delta_orthogonal"] = "delta_orthogonal"
    scale: float = 1.0
    column_axis: int = -1

    def fits(self, rank: int) -> bool:
        return 3 <= rank <= 5 and -rank <= self.column_axis < rank


class KeyData(Start):
    """The data of a key of its own, drawn from the key that `init` gets."""

    DRAWS: ClassVar[bool] = False

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

INITIALIZERS: dict[str, type[Start]] = {
    cls.model_fields["name"].default: cls for cls in get_args(get_args(Initializer)[0])
}
"""Those that a file may name."""

LECUN_NORMAL = VarianceScaling(
    scale=1.0, mode="fan_in", distribution="truncated_normal"
)
EMBEDDING = Normal(stddev=0.02)
ZEROS, ONES = Zeros(), Ones()
