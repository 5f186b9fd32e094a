"""U-Nets: levels with skips between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from .convolution import ImageNorm, Layers
from .parts import Activation, at_least_one, expect

if TYPE_CHECKING:
    from ..function import FunctionBuilder
    from ..values import Value


def double_conv(
    f: FunctionBuilder,
    x: Value,
    *,
    features: int,
    activation: Activation = "relu",
    norm: ImageNorm = "batch_norm",
    groups: int = 32,
    eps: float = 1e-5,
    spatial_axes: int = 2,
) -> Value:
    """Two convolutions of 3, each with norm and activation: a level of a U-Net.

    (..., spatial..., features in) -> (..., spatial..., features). Ronneberger et al.,
    arXiv:1505.04597, with norms. Parameters: `conv_1`, `norm_1`, `conv_2`, `norm_2`.
    Arguments as in `basic_block`.
    """
    at = Layers(f, spatial_axes, activation, norm, groups, eps)
    y = at.active("norm_1", at.conv("conv_1", x, features, 3))
    return at.active("norm_2", at.conv("conv_2", y, features, 3))


def unet(
    f: FunctionBuilder,
    x: Value,
    embedding: Value | None = None,
    *,
    widths: Sequence[int],
    level: Callable[..., Value] = double_conv,
    groups: int | None = None,
    upsample: Literal["conv_transpose", "nearest"] = "conv_transpose",
    spatial_axes: int = 2,
) -> Value:
    """Levels of ever smaller size and back, each with what its size was on the way down.

    (..., spatial..., features in) -> (..., spatial..., widths[0]). Between two levels
    stand a max_pool of 2 on the way down, and on the way up a transposed convolution of 2
    behind which the skip is joined. Ronneberger et al., arXiv:1505.04597. Parameters:
    `down_0`, `down_1`, ..., `middle`, and for each level but the last `grow_0` and
    `up_0`.

    Args:
        f: writes it.
        x: (..., spatial..., features in). With `conv_transpose` sizes are multiples of
            2 ** (len(widths) - 1): `b.dim("rows", multiple_of=8)`.
        embedding: what each level gets beside its own input, such as a time.
        widths: the features of the levels, the last being that of the middle.
        level: a recipe or a function `level(f, x, *, features, spatial_axes)`, or
            `level(f, x, embedding, *, ...)`, such as `diffusion_block`.
        groups: what each level gets as `groups`, by default nothing. Those of a
            `diffusion_block`, 32 by default, divide the features of x too: a conv before
            the U-Net gives it as many.
        upsample: `nearest` repeats elements up to the size of the skip, of any size, and
            convolves them by 3.
        spatial_axes: how many axes before the last are of space.

    Raises:
        SpecError: no widths, a width below 1.
    """
    expect(x, len(widths) > 0, "widths", "one at least", "none")
    at = Layers(f, spatial_axes, "relu")
    more = () if embedding is None else (embedding,)
    options = {} if groups is None else {"groups": groups}

    def run(name: str, x: Value, width: int) -> Value:
        at_least_one(x, widths=width)
        call = f.call(name, level)
        return call(x, *more, features=width, spatial_axes=spatial_axes, **options)

    skips: list[Value] = []
    for i, width in enumerate(widths[:-1]):
        skips.append(run(f"down_{i}", x, width))
        x = f.max_pool(skips[-1], [2] * spatial_axes, 2)
    x = run("middle", x, widths[-1])
    for i, skip in reversed([*enumerate(skips)]):
        if upsample == "nearest":
            sizes = skip.shape[-1 - spatial_axes : -1]
            x = f.resize(x, sizes, "nearest", antialias=False)
            x = at.conv(f"grow_{i}", x, widths[i], 3, use_bias=True)
        else:
            window = [2] * spatial_axes
            x = f.conv_transpose(
                f"grow_{i}", x, widths[i], window, strides=2, padding="VALID"
            )
        x = run(f"up_{i}", f.concatenate([skip, x], axis=-1), widths[i])
    return x
