"""Residual blocks of models of images, sound and volumes: convolutions and norms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .convolution import ImageNorm, Layers
from .parts import Activation, at_least_one, divisor, dropped

if TYPE_CHECKING:
    from ..function import FunctionBuilder
    from ..values import Value


def basic_block(
    f: FunctionBuilder,
    x: Value,
    *,
    features: int | None = None,
    stride: int = 1,
    activation: Activation = "relu",
    norm: ImageNorm = "batch_norm",
    groups: int = 32,
    eps: float = 1e-5,
    spatial_axes: int = 2,
) -> Value:
    """Two convolutions of 3 and a residual, as in ResNet-18 and ResNet-34.

    (..., spatial..., features in) -> (..., ceil(spatial / stride)..., features). He et
    al., arXiv:1512.03385. Parameters: `conv_1`, `norm_1`, `conv_2`, `norm_2`; `short_conv`
    and `short_norm` where the sizes of x change.

    Args:
        f: writes it.
        x: (..., spatial..., features in).
        features: those of the result, by default those of x.
        stride: of the first convolution.
        activation: behind each norm, and behind the sum.
        norm: which one.
        groups: of a `group_norm`.
        eps: of the norms.
        spatial_axes: how many axes before the last are of space.

    Raises:
        SpecError: a size below 1, or `groups` that do not divide the features.
    """
    size = x.features if features is None else features
    at_least_one(x, features=size, stride=stride)
    at = Layers(f, spatial_axes, activation, norm, groups, eps)
    y = at.conv("conv_1", x, size, 3, stride)
    y = at.active("norm_1", y)
    y = at.conv("conv_2", y, size, 3)
    y = at.normed("norm_2", y)
    short = _shortcut(at, x, size, stride)
    return at.activated(short + y)


def bottleneck_block(
    f: FunctionBuilder,
    x: Value,
    *,
    hidden: int,
    features: int | None = None,
    stride: int = 1,
    cardinality: int = 1,
    activation: Activation = "relu",
    norm: ImageNorm = "batch_norm",
    groups: int = 32,
    eps: float = 1e-5,
    spatial_axes: int = 2,
) -> Value:
    """Convolutions of 1, 3 and 1 and a residual, as in ResNet-50 and ResNeXt.

    (..., spatial..., features in) -> (..., ceil(spatial / stride)..., features). The
    stride is that of the middle, as in torchvision. He et al., arXiv:1512.03385; Xie et
    al., arXiv:1611.05431. Parameters: `conv_1`, `norm_1`, `conv_2`, `norm_2`, `conv_3`,
    `norm_3`; `short_conv` and `short_norm` where the sizes of x change.

    Args:
        f: writes it.
        x: (..., spatial..., features in).
        hidden: the features of the middle.
        features: those of the result, by default 4 * hidden.
        stride: of the middle.
        cardinality: the groups of the convolution in the middle.
        activation: as all that follows, in `basic_block`.
        norm: see `activation`.
        groups: see `activation`.
        eps: see `activation`.
        spatial_axes: see `activation`.

    Raises:
        SpecError: a size below 1; `cardinality` or `groups` that do not divide features.
    """
    size = 4 * hidden if features is None else features
    at_least_one(x, hidden=hidden, features=size, stride=stride)
    at = Layers(f, spatial_axes, activation, norm, groups, eps)
    divisor(x, "cardinality", cardinality, "hidden", hidden)
    y = at.conv("conv_1", x, hidden, 1)
    y = at.active("norm_1", y)
    y = at.conv("conv_2", y, hidden, 3, stride, groups=cardinality)
    y = at.active("norm_2", y)
    y = at.conv("conv_3", y, size, 1)
    y = at.normed("norm_3", y)
    short = _shortcut(at, x, size, stride)
    return at.activated(short + y)


def preactivation_block(
    f: FunctionBuilder,
    x: Value,
    *,
    features: int | None = None,
    stride: int = 1,
    activation: Activation = "relu",
    norm: ImageNorm = "batch_norm",
    groups: int = 32,
    eps: float = 1e-5,
    spatial_axes: int = 2,
) -> Value:
    """A basic block with norm and activation before each convolution.

    (..., spatial..., features in) -> (..., ceil(spatial / stride)..., features). Where the
    sizes of x change, what is activated goes through `short_conv`. He et al.,
    arXiv:1603.05027; Zagoruyko and Komodakis, arXiv:1605.07146. Parameters: `norm_1`,
    `conv_1`, `norm_2`, `conv_2`, `short_conv`. Arguments as in `basic_block`.
    """
    size = x.features if features is None else features
    at_least_one(x, features=size, stride=stride)
    at = Layers(f, spatial_axes, activation, norm, groups, eps)
    h = at.active("norm_1", x)
    y = at.conv("conv_1", h, size, 3, stride)
    y = at.active("norm_2", y)
    y = at.conv("conv_2", y, size, 3)
    if stride == 1 and size == x.features:
        return x + y
    return at.conv("short_conv", h, size, 1, stride) + y


def diffusion_block(
    f: FunctionBuilder,
    x: Value,
    embedding: Value | None = None,
    drop_key: Value | None = None,
    *,
    features: int | None = None,
    activation: Activation = "silu",
    norm: ImageNorm = "group_norm",
    groups: int = 32,
    eps: float = 1e-5,
    dropout: float = 0.0,
    spatial_axes: int = 2,
) -> Value:
    """A residual block that hears of the time, as the U-Nets of diffusion models have it.

    (..., spatial..., features in) -> (..., spatial..., features):
    `x + conv_2(act(norm_2(conv_1(act(norm_1(x))) + time(act(embedding)))))`, with
    `short_conv` on x where its features change. Ho et al., arXiv:2006.11239. Parameters:
    `norm_1`, `conv_1`, `time`, `norm_2`, `conv_2`, `short_conv`.

    Args:
        f: writes it.
        x: (..., spatial..., features in).
        embedding: (..., any features), of the time, added to all of space.
        drop_key: for `dropout`; without it there is none.
        features: those of the result, by default those of x.
        activation: before each map.
        norm: as `groups`, `eps` and `spatial_axes`, in `basic_block`.
        groups: see `norm`.
        eps: see `norm`.
        dropout: the rate before the second convolution.
        spatial_axes: see `norm`.
    """
    size = x.features if features is None else features
    at_least_one(x, features=size)
    at = Layers(f, spatial_axes, activation, norm, groups, eps)
    y = at.active("norm_1", x)
    y = at.conv("conv_1", y, size, 3, use_bias=True)
    if embedding is not None:
        time = f.linear("time", at.activated(embedding), size)
        y = y + f.expand_dims(time, axis=list(range(-1 - spatial_axes, -1)))
    y = at.active("norm_2", y)
    y = dropped(f, "drop", y, dropout, drop_key)
    y = at.conv("conv_2", y, size, 3, use_bias=True)
    if size != x.features:
        x = at.conv("short_conv", x, size, 1, use_bias=True)
    return x + y


def _shortcut(at: Layers, x: Value, features: int, stride: int) -> Value:
    """x, mapped to other sizes where these change."""
    if stride == 1 and features == x.features:
        return x
    return at.normed("short_norm", at.conv("short_conv", x, features, 1, stride))
