"""Initialisers as data: how an array of the model starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import Field

from .expressions import ExpressionError, evaluate, names
from .fields import Float, is_expression
from .strict import Strict


class Start(Strict):
    """The base of initialisers.

    Names and arguments are those of `jax.nn.initializers`, so that one rule writes and
    calls them: `getattr(jax.nn.initializers, name)(**arguments)`; or there is a function
    that draws with them, `partial(function, **arguments)`.
    """

    DRAWS: ClassVar[bool] = True
    """True where it gives floats alone."""
    DIRECT: ClassVar[bool] = False
    """True where JAX's function is the initialiser itself, and not what makes one."""
    WIDE: ClassVar[bool] = False
    """True where it calculates in 32 bits at least."""
    COMPLEX: ClassVar[bool] = True
    """True where it starts arrays of complex numbers too."""
    FUNCTION: ClassVar[str] = ""
    """The function that draws, its arguments being keywords: one of JAX, or one of
    `blox.ops.tail`. Where there is none, the name says it."""
    NAMED: ClassVar[tuple[str, ...]] = ()
    """Arguments that are names of functions of `jax.numpy`."""

    name: Any  # a Literal in every class

    @classmethod
    def functions(cls) -> Iterator[str]:
        """The functions of JAX beside `jax.nn.initializers` that it speaks of."""
        if "." in cls.FUNCTION:
            yield cls.FUNCTION
        for name in cls.NAMED:
            for part in get_args(cls.model_fields[name].annotation):
                yield from (f"jnp.{function}" for function in get_args(part))

    def fits(self, rank: int) -> bool:
        """True where the axes that it names are those of an array of `rank`."""
        return True

    def expressions(self) -> dict[str, str]:
        """Its arguments that are expressions, of attributes alone."""
        return {n: v for n, v in vars(self).items() if is_expression(v)}

    def resolved(self, values: Mapping[str, Any]) -> Self:
        """It with numbers for its expressions.

        Raises:
            ExpressionError: one has no value.
        """
        found: dict[str, float] = {}
        for argument, text in self.expressions().items():
            for name in names(text):
                if name not in values:
                    raise ExpressionError(f"expected attributes alone, found {name}")
            found[argument] = float(evaluate(text, values, "float"))
        return self.unchecked_copy(**found) if found else self


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


class Uniform(Start):
    """Uniform on [0, scale): not around 0, as JAX has it."""

    COMPLEX: ClassVar[bool] = False

    name: Literal["uniform"] = "uniform"
    scale: Annotated[Float, Field(description="The upper end, itself not drawn.")] = (
        0.01
    )


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


class Progression(Start):
    """`start + i * step` for element i along `axis`, or a function of that: nothing is drawn.

    State space models start so: `{"name": "progression", "start": 1.0, "of": "log"}` is log(1),
    log(2), ..., log(N) in every row, S4D's real part (Gu et al., arXiv:2206.11893). Inverse
    frequencies of positions are `exp` of a `step` below 0. The `log` of a `start` of 0 is -inf.
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
