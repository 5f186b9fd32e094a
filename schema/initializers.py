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
    COMPLEX: ClassVar[bool] = True
    """True where it starts arrays of complex numbers too."""

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
    value: Annotated[float, Field(description="The number.")]


class Normal(Start):
    """Normal with mean 0: `stddev * z`, z being standard normal.

    Of complex numbers each part has half of the variance.
    """

    name: Literal["normal"] = "normal"
    stddev: Annotated[float, Field(description="The standard deviation.")] = 0.01


class TruncatedNormal(Start):
    """Normal, cut off: `stddev * z`, z being standard normal between `lower` and `upper`.

    The array varies less than `stddev` says, with the defaults 0.88 times as much; of
    `variance_scaling` it has the variance that is asked for.
    """

    COMPLEX: ClassVar[bool] = False

    name: Literal["truncated_normal"] = "truncated_normal"
    stddev: Annotated[
        float, Field(description="The standard deviation before the cut.")
    ] = 0.01
    lower: Annotated[
        float, Field(description="The least z, in standard deviations.")
    ] = -2.0
    upper: Annotated[
        float, Field(description="The greatest z, in standard deviations.")
    ] = 2.0


class Uniform(Start):
    """Uniform on [0, scale): not around 0, as JAX has it."""

    COMPLEX: ClassVar[bool] = False

    name: Literal["uniform"] = "uniform"
    scale: Annotated[float, Field(description="The upper end, itself not drawn.")] = (
        0.01
    )


class VarianceScaling(Start):
    """Mean 0 and variance `scale / n`, n being counted from the array's shape.

    n is the fan in (the size of `in_axis` times those of all axes but the two), the fan
    out (that of `out_axis` times the same), their mean or their geometric mean. `uniform`
    lies within the square root of `3 * scale / n` of 0; `truncated_normal` is cut off at 2
    standard deviations, then widened to the
    variance. For arrays of two axes or more. LeCun et al. 1998, Efficient BackProp;
    Glorot and Bengio 2010 (`fan_avg`); He et al., arXiv:1502.01852 (`scale` 2).
    """

    name: Literal["variance_scaling"] = "variance_scaling"
    scale: Annotated[float, Field(description="The variance times n, above 0.")]
    mode: Annotated[
        Literal["fan_in", "fan_out", "fan_avg", "fan_geo_avg"],
        Field(description="What n is."),
    ]
    distribution: Annotated[
        Literal["normal", "truncated_normal", "uniform"],
        Field(description="What is drawn from."),
    ]
    in_axis: Annotated[int, Field(description="The axis of the inputs.")] = -2
    out_axis: Annotated[int, Field(description="The axis of the outputs.")] = -1

    def fits(self, rank: int) -> bool:
        axes = (self.in_axis, self.out_axis)
        return rank >= 2 and all(-rank <= axis < rank for axis in axes)


class Orthogonal(Start):
    """`scale` times a random matrix with orthonormal rows or columns, whichever are fewer.

    Columns are counted by `column_axis`, rows by all other axes together. For arrays of
    two axes or more. Saxe et al., arXiv:1312.6120.
    """

    WIDE: ClassVar[bool] = True  # there is no decomposition in 16 bits

    name: Literal["orthogonal"] = "orthogonal"
    scale: Annotated[float, Field(description="The factor.")] = 1.0
    column_axis: Annotated[int, Field(description="The axis of the columns.")] = -1

    def fits(self, rank: int) -> bool:
        return rank >= 2 and -rank <= self.column_axis < rank


class DeltaOrthogonal(Start):
    """A convolution kernel that is `orthogonal` at its centre and zero elsewhere.

    For 1 to 3 spatial axes, then those of inputs and outputs, where outputs are at least
    as many as inputs. Xiao et al., arXiv:1806.05393.
    """

    WIDE: ClassVar[bool] = True

    name: Literal["delta_orthogonal"] = "delta_orthogonal"
    scale: Annotated[float, Field(description="The factor.")] = 1.0
    column_axis: Annotated[int, Field(description="The axis of the columns.")] = -1

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
