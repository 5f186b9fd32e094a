"""Convolutions with norm and activation, as the blocks of one family have them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from .parts import Activation, activated, at_least_one, divisor, expect

if TYPE_CHECKING:
    from ..function import FunctionBuilder
    from ..values import Value

ImageNorm = Literal["batch_norm", "group_norm"]
Padding = Literal["symmetric", "SAME"]


@dataclass(frozen=True)
class Layers:
    """What all layers of a block have in common."""

    f: FunctionBuilder
    spatial_axes: int
    activation: Activation
    norm: ImageNorm = "batch_norm"
    groups: int = 32
    eps: float = 1e-5
    padding: Padding = "symmetric"

    def conv(
        self,
        name: str,
        x: Value,
        features: int,
        kernel: int,
        stride: int = 1,
        *,
        groups: int = 1,
        use_bias: bool = False,
    ) -> Value:
        """A convolution that keeps ceil(size / stride)."""
        at_least_one(x, features=features, kernel=kernel, stride=stride)
        odd = kernel % 2 == 1 or self.padding == "SAME"
        expect(x, odd, "kernel", "an odd number", kernel)
        pads = [[kernel // 2, kernel // 2]] * self.spatial_axes
        return self.f.conv(
            name, x, features, [kernel] * self.spatial_axes, strides=stride,
            padding="SAME" if self.padding == "SAME" else pads, groups=groups,
            use_bias=use_bias,
        )  # fmt: skip

    def normed(self, name: str, x: Value) -> Value:
        """Each feature normalised over the batch, or groups of them over space."""
        if self.norm == "batch_norm":
            return self.f.batch_norm(name, x, eps=self.eps)
        divisor(x, "groups", self.groups, "the features", x.features)
        return self.f.group_norm(name, x, self.spatial_axes, self.groups, eps=self.eps)

    def activated(self, x: Value) -> Value:
        return activated(self.f, self.activation, x)

    def active(self, name: str, x: Value) -> Value:
        """Normalised, then activated."""
        return self.activated(self.normed(name, x))
