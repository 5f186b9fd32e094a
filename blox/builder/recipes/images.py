"""Parts of models of images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .parts import Activation, activated

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
) -> Value:
    """`x * sigmoid(up(act(down(mean(x)))))`: each feature weighted by what all are.

    (..., spatial..., features) -> (..., spatial..., features). Hu et al.,
    arXiv:1709.01507.

    Args:
        f: writes it.
        x: (..., spatial..., features), of which the mean over space is taken.
        hidden: the features between the two maps, such as `x.features // 16`.
        spatial_axes: how many axes before the last are of space.
        activation: what stands between the maps.
    """
    y = f.mean(x, axis=list(range(-1 - spatial_axes, -1)), keepdims=True)
    y = activated(f, activation, f.linear("down", y, hidden))
    return x * f.sigmoid(f.linear("up", y, x.features))


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
    features). Dosovitskiy et al., arXiv:2010.11929.

    Args:
        f: writes it.
        x: (..., height, width, channels); what doesn't fill a patch is left out.
        patch: the size of a patch, both ways.
        features: those of the result.
        use_bias: of the map, a convolution `proj`.
    """
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
