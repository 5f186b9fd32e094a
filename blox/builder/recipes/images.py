"""Blocks of efficient models of images, and how vision transformers begin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .convolution import Layers, Padding
from .parts import Activation, activated, at_least_one, expect

if TYPE_CHECKING:
    from ..function import FunctionBuilder
    from ..values import Value


def squeeze_excitation(
    f: FunctionBuilder,
    x: Value,
    *,
    hidden: int,
    spatial_axes: int = 2,
    activation: Activation = "relu",
    gate: Activation = "sigmoid",
) -> Value:
    """`x * gate(up(act(down(mean(x)))))`: each feature weighted by what all are.

    (..., spatial..., features) -> (..., spatial..., features). Hu et al.,
    arXiv:1709.01507. Parameters: `down`, `up`.

    Args:
        f: writes it.
        x: (..., spatial..., features), of which the mean over space is taken.
        hidden: the features between the two maps, such as `x.features // 16`.
        spatial_axes: how many axes before the last are of space.
        activation: what stands between the maps.
        gate: what makes weights of them; `hard_sigmoid` in MobileNetV3.
    """
    at_least_one(x, hidden=hidden, spatial_axes=spatial_axes)
    y = f.mean(x, axis=list(range(-1 - spatial_axes, -1)), keepdims=True)
    y = activated(f, activation, f.linear("down", y, hidden))
    return x * activated(f, gate, f.linear("up", y, x.features))


def inverted_residual(
    f: FunctionBuilder,
    x: Value,
    drop_key: Value | None = None,
    *,
    hidden: int,
    features: int | None = None,
    kernel: int = 3,
    stride: int = 1,
    squeeze: int | None = None,
    activation: Activation = "relu6",
    squeeze_activation: Activation = "relu",
    gate: Activation = "sigmoid",
    padding: Padding = "symmetric",
    eps: float = 1e-5,
    drop_path: float = 0.0,
    spatial_axes: int = 2,
) -> Value:
    """Wide in the middle, where features are convolved one by one: MBConv.

    (..., spatial..., features in) -> (..., ceil(spatial / stride)..., features). Of
    MobileNetV2 (Sandler et al., arXiv:1801.04381), with `squeeze` of MobileNetV3 and
    EfficientNet (Tan and Le, arXiv:1905.11946). Parameters: `expand`, `expand_norm` (none
    where hidden is as wide as x), `depthwise`, `depthwise_norm`, `se`, `project`,
    `project_norm`.

    Args:
        f: writes it.
        x: (..., spatial..., features in).
        drop_key: for `drop_path`; without it there is none.
        hidden: the features of the middle, such as `6 * x.features`.
        features: those of the result, by default those of x. Where these are the same and
            the stride is 1, x is added.
        kernel: the size of the convolution in the middle.
        stride: of the same.
        squeeze: the hidden features of a `squeeze_excitation` behind it; None for none.
        activation: behind the first two norms.
        squeeze_activation: as `gate`, that of the `squeeze_excitation`.
        gate: see `squeeze_activation`.
        padding: (kernel - 1) / 2 zeros on all sides, or as TensorFlow's models have it,
            the odd one behind.
        eps: of the norms, batch_norm.
        drop_path: the rate of `stochastic_depth`, where x is added.
        spatial_axes: how many axes before the last are of space.

    Raises:
        SpecError: a size below 1, an even symmetric kernel.
    """
    size = x.features if features is None else features
    at_least_one(x, hidden=hidden, features=size, squeeze=squeeze)
    at = Layers(f, spatial_axes, activation, eps=eps, padding=padding)
    y = x
    if hidden != x.features:
        y = at.active("expand_norm", at.conv("expand", x, hidden, 1))
    y = at.conv("depthwise", y, hidden, kernel, stride, groups=hidden)
    y = at.active("depthwise_norm", y)
    if squeeze is not None:
        y = f.call("se", squeeze_excitation)(
            y, hidden=squeeze, spatial_axes=spatial_axes,
            activation=squeeze_activation, gate=gate,
        )  # fmt: skip
    y = at.normed("project_norm", at.conv("project", y, size, 1))
    if stride == 1 and size == x.features:
        return x + _maybe(f, y, drop_path, drop_key, spatial_axes)
    return y


def convnext_block(
    f: FunctionBuilder,
    x: Value,
    drop_key: Value | None = None,
    *,
    hidden: int | None = None,
    kernel: int = 7,
    activation: Activation = "gelu",
    eps: float = 1e-6,
    layer_scale: float | None = 1e-6,
    drop_path: float = 0.0,
    spatial_axes: int = 2,
) -> Value:
    """`x + scale * down(act(up(norm(depthwise(x)))))`: features and sizes stay.

    (..., spatial..., features) -> (..., spatial..., features). Liu et al.,
    arXiv:2201.03545. Parameters: `depthwise`, `norm`, `up`, `down`, `scale`.

    Args:
        f: writes it.
        x: (..., spatial..., features).
        drop_key: for `drop_path`; without it there is none.
        hidden: the features between the maps, by default 4 times those of x.
        kernel: the size of the convolution.
        activation: what stands between the maps.
        eps: of the layer_norm.
        layer_scale: what the factors of the features start as; None for no factors.
        drop_path: the rate of `stochastic_depth`.
        spatial_axes: how many axes before the last are of space.

    Raises:
        SpecError: a size below 1, an even kernel.
    """
    width = 4 * x.features if hidden is None else hidden
    at_least_one(x, hidden=width)
    at = Layers(f, spatial_axes, activation)
    y = at.conv(
        "depthwise", x, x.features, kernel, groups=x.features, use_bias=True
    )  # fmt: skip
    y = f.linear("up", f.layer_norm("norm", y, eps=eps), width)
    y = f.linear("down", at.activated(y), x.features)
    if layer_scale is not None:
        start = {"value": {"name": "constant", "value": layer_scale}}
        y = y * f.param("scale", [x.features], init=start)
    return x + _maybe(f, y, drop_path, drop_key, spatial_axes)


def patch_embedding(
    f: FunctionBuilder,
    x: Value,
    *,
    patch: int,
    features: int,
    use_bias: bool = True,
) -> Value:
    """A linear map of every patch, row by row, as vision transformers begin.

    (..., height, width, channels) -> (..., height // patch * (width // patch),
    features). Dosovitskiy et al., arXiv:2010.11929. Parameters: `proj`.

    Args:
        f: writes it.
        x: (..., height, width, channels); what doesn't fill a patch is left out.
        patch: the size of a patch, both ways.
        features: those of the result.
        use_bias: of the map, a convolution `proj`.
    """
    at_least_one(x, patch=patch, features=features)
    y = f.conv(
        "proj",
        x,
        features,
        [patch, patch],
        strides=patch,
        padding="VALID",
        use_bias=use_bias,
    )
    return f.flatten(y, start=-3, stop=-1)


def _maybe(
    f: FunctionBuilder, y: Value, rate: float, key: Value | None, spatial_axes: int
) -> Value:
    """A residual branch, left out at a rate for each item of a batch."""
    if not rate:
        return y
    expect(y, 0 < rate < 1, "drop_path", "at least 0 and below 1", rate)
    batch = list(range(y.ndim - spatial_axes - 1))
    return f.stochastic_depth("drop_path", y, rate, batch, key=key)
