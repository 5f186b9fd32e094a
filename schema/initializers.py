"""Initialisers as data: how an array of the model starts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar, Literal, get_args

from pydantic import Field

from .fields import Float
from .problems import Problem
from .start import Start, not_below

MAX_FLOAT32 = 3.4028234663852886e38


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
    value: Annotated[Float, Field(description="The number.")]


class Normal(Start):
    """Normal with mean 0: `stddev * z`, z being standard normal.

    Of complex numbers each part has half of the variance.
    """

    name: Literal["normal"] = "normal"
    stddev: Annotated[Float, Field(description="The standard deviation.")] = 0.01

    def problems(self, shape: Sequence[int | None]) -> Iterator[Problem]:
        yield from not_below("stddev", self.stddev, 0)


class TruncatedNormal(Start):
    """Normal, cut off: `stddev * z`, z being standard normal between `lower` and `upper`.

    The array varies less than `stddev` says, with the defaults 0.88 times as much; of
    `variance_scaling` it has the variance that is asked for.
    """

    COMPLEX: ClassVar[bool] = False

    name: Literal["truncated_normal"] = "truncated_normal"
    stddev: Annotated[
        Float, Field(description="The standard deviation before the cut.")
    ] = 0.01
    lower: Annotated[
        Float, Field(description="The least z, in standard deviations.")
    ] = -2.0
    upper: Annotated[
        Float, Field(description="The greatest z, in standard deviations.")
    ] = 2.0

    def problems(self, shape: Sequence[int | None]) -> Iterator[Problem]:
        yield from not_below("stddev", self.stddev, 0)
        if float(self.lower) >= float(self.upper):
            wanted = f"above lower, {self.lower}"
            yield Problem.expected("upper", wanted, self.upper)


class Uniform(Start):
    """Uniform on [0, scale): not around 0, as JAX has it."""

    COMPLEX: ClassVar[bool] = False

    name: Literal["uniform"] = "uniform"
    scale: Annotated[Float, Field(description="The upper end, itself not drawn.")] = (
        0.01
    )

    def problems(self, shape: Sequence[int | None]) -> Iterator[Problem]:
        yield from not_below("scale", self.scale, 0)


class VarianceScaling(Start):
    """Mean 0 and variance `scale / n`, n being counted from the array's shape.

    n is the fan in (the size of `in_axis` times those of all axes but the three), the fan
    out (that of `out_axis` times the same), their mean or their geometric mean; several axes
    count as one of the product of their sizes, `batch_axis` not at all. `uniform` lies
    within the square root of `3 * scale / n` of 0; `truncated_normal` is cut off at 2
    standard deviations, then widened to the variance. For arrays of two axes or more.
    LeCun et al. 1998, Efficient BackProp; Glorot and Bengio 2010 (`fan_avg`); He et al.,
    arXiv:1502.01852 (`scale` 2).
    """

    name: Literal["variance_scaling"] = "variance_scaling"
    scale: Annotated[Float, Field(description="The variance times n, above 0.")]
    mode: Annotated[
        Literal["fan_in", "fan_out", "fan_avg", "fan_geo_avg"],
        Field(description="What n is."),
    ]
    distribution: Annotated[
        Literal["normal", "truncated_normal", "uniform"],
        Field(description="What is drawn from."),
    ]
    in_axis: Annotated[
        int | list[int], Field(description="The axis of the inputs, or several.")
    ] = -2
    out_axis: Annotated[
        int | list[int], Field(description="The axis of the outputs, or several.")
    ] = -1
    batch_axis: Annotated[
        int | list[int],
        Field(
            description="Axes of kernels that are side by side, of which each is one."
        ),
    ] = []

    def fits(self, rank: int) -> bool:
        axes: list[int] = []
        for given in (self.in_axis, self.out_axis, self.batch_axis):
            axes += given if isinstance(given, list) else [given]
        if rank < 2 or not all(-rank <= axis < rank for axis in axes):
            return False
        return len({axis % rank for axis in axes}) == len(axes)

    def problems(self, shape: Sequence[int | None]) -> Iterator[Problem]:
        if float(self.scale) <= 0:
            yield Problem.expected("scale", "a number above 0", self.scale)


class Orthogonal(Start):
    """`scale` times a random matrix with orthonormal rows or columns, whichever are fewer.

    Columns are counted by `column_axis`, rows by all other axes together. For arrays of
    two axes or more. Saxe et al., arXiv:1312.6120.
    """

    WIDE: ClassVar[bool] = True  # there is no decomposition in 16 bits

    name: Literal["orthogonal"] = "orthogonal"
    scale: Annotated[Float, Field(description="The factor.")] = 1.0
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
    scale: Annotated[Float, Field(description="The factor.")] = 1.0
    column_axis: Annotated[int, Field(description="The axis of the columns.")] = -1

    def fits(self, rank: int) -> bool:
        return 3 <= rank <= 5 and -rank <= self.column_axis < rank


class RandomUniform(Start):
    """Uniform on [minval, maxval).

    A layer of PyTorch starts its bias so, within `fan_in ** -0.5` of 0.
    """

    COMPLEX: ClassVar[bool] = False
    FUNCTION: ClassVar[str] = "jax.random.uniform"

    name: Literal["random_uniform"] = "random_uniform"
    minval: Annotated[Float, Field(description="The lower end.")]
    maxval: Annotated[Float, Field(description="The upper end, itself not drawn.")]

    def problems(self, shape: Sequence[int | None]) -> Iterator[Problem]:
        yield from not_below("maxval", self.maxval, self.minval)


class Progression(Start):
    """`start + i * step` for element i along `axis`, or a function of that: nothing is drawn.

    State space models start so: `{"name": "progression", "start": 1.0, "of": "log"}` is log(1),
    log(2), ..., log(N) in every row, S4D's real part (Gu et al., arXiv:2206.11893). Inverse
    frequencies of positions are `exp` of a `step` below 0. All of it must be finite in float32.
    """

    DRAWS: ClassVar[bool] = False
    COMPLEX: ClassVar[bool] = False
    FUNCTION: ClassVar[str] = "progression"
    NAMED: ClassVar[tuple[str, ...]] = ("of",)

    name: Literal["progression"] = "progression"
    start: Annotated[Float, Field(description="The first number.")] = 0.0
    step: Annotated[Float, Field(description="The distance to the next one.")] = 1.0
    axis: Annotated[int, Field(description="The axis to count along.")] = -1
    of: Annotated[
        Literal["log", "exp", "sqrt", "reciprocal"] | None,
        Field(description="The function of `jax.numpy` that is taken."),
    ] = None

    def fits(self, rank: int) -> bool:
        return -rank <= self.axis < rank

    def problems(self, shape: Sequence[int | None]) -> Iterator[Problem]:
        count = shape[self.axis]
        first, step = float(self.start), float(self.step)
        last = first if not count else first + (count - 1) * step
        through = self.of == "reciprocal" and first * last < 0
        meets_zero = through and (first / step).is_integer()
        bad = self._bad(first) or self._bad(last) or meets_zero
        if count == 0 or not bad:
            return
        wanted = _FINITE[self.of]
        field = "start" if self._bad(first) else "step"
        yield Problem(field, f"expected {wanted}, found {first} to {last}")

    def _bad(self, x: float) -> bool:
        """True of a number of which the function is not finite in float32."""
        match self.of:
            case "log":
                return x <= 0
            case "sqrt":
                return x < 0
            case "reciprocal":
                return x == 0
            case "exp":
                return x > 88.7
        return abs(x) > MAX_FLOAT32


_FINITE = {
    "log": "numbers above 0 for log",
    "sqrt": "numbers of at least 0 for sqrt",
    "reciprocal": "numbers other than 0 for reciprocal",
    "exp": "numbers of at most 88.7 for exp",
    None: "numbers that float32 has",
}


class KeyData(Start):
    """The data of a key of its own, drawn from the key that `init` gets."""

    DRAWS: ClassVar[bool] = False
    FUNCTION: ClassVar[str] = "jax.random.bits"

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
    | DeltaOrthogonal
    | RandomUniform
    | Progression,
    Field(discriminator="name"),
]

INITIALIZERS: dict[str, type[Start]] = {
    cls.model_fields["name"].default: cls for cls in get_args(get_args(Initializer)[0])
}
"""Those that a file may name."""

DRAWN_BY = frozenset(
    function
    for classes in (INITIALIZERS.values(), [KeyData])
    for cls in classes
    for function in cls.functions()
)
"""The functions of JAX beside `jax.nn.initializers` that initialisers speak of."""

LECUN_NORMAL = VarianceScaling(
    scale=1.0, mode="fan_in", distribution="truncated_normal"
)
STACKED_LECUN_NORMAL = LECUN_NORMAL.model_copy(update={"batch_axis": 0})
EMBEDDING = Normal(stddev=0.02)
ZEROS, ONES = Zeros(), Ones()
