"""Writes torch_image_recipes.safetensors: recipes of images, by other people's code.

    python tests/parity/ops/torch_image_recipes.py     (extra `parity`)

Modules of transformers, and of PyTorch put together as papers have them, with random
numbers, gradients too. Those are channels first, ours last.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_modules import leaf, recorded
from torch_reference import FILE as REFERENCE
from torch_reference import first, last, save
from transformers.models.convnext import modeling_convnext as convnext
from transformers.models.efficientnet import modeling_efficientnet as efficientnet
from transformers.models.mobilenet_v2 import modeling_mobilenet_v2 as mobilenet
from transformers.models.resnet import modeling_resnet as resnet
from transformers.models.vit import modeling_vit as vit

FILE = REFERENCE.parents[1] / "builder" / "torch_image_recipes.safetensors"


def record(
    kind: str, module: nn.Module, places: dict[str, str], x: Tensor, **options: Any
) -> None:
    axes = x.ndim - 2
    more = {} if axes == 2 else {"spatial_axes": axes}
    recorded(
        kind, module, places, {"x": x}, lambda f: last(f(first(x, axes)), axes),
        **more, **options,
    )  # fmt: skip


def resnets() -> None:
    x = leaf(2, 5, 4, 4)
    places: dict[str, str] = {}
    for i in range(3):
        places |= {f"layer.{i}.convolution": f"conv_{i + 1}"}
        places |= {f"layer.{i}.normalization": f"norm_{i + 1}"}
    short = {"convolution": "short_conv", "normalization": "short_norm"}
    places |= {f"shortcut.{k}": v for k, v in short.items()}
    record("basic_block", resnet.ResNetBasicLayer(4, 4), places, x)
    module: nn.Module = resnet.ResNetBasicLayer(4, 6, 2, "silu")
    module.layer[0].activation = nn.SiLU()
    record("basic_block", module, places, x, features=6, stride=2, activation="silu")
    module = resnet.ResNetBottleNeckLayer(4, 8, 2)
    record("bottleneck_block", module, places, x, hidden=2, stride=2)
    module = resnet.ResNetBottleNeckLayer(4, 4, 1, reduction=1)
    module.layer[1].convolution = nn.Conv2d(4, 4, 3, padding=1, groups=2, bias=False)
    record(
        "bottleneck_block", module, places, x, hidden=4, features=4, cardinality=2
    )  # fmt: skip


class Preactivated(nn.Module):  # type: ignore[misc]
    """Figure 4 (e) of arXiv:1603.05027, with norms by groups, over one axis of space."""

    def __init__(self, features: int, stride: int) -> None:
        super().__init__()
        self.norm_1, self.norm_2 = nn.GroupNorm(2, 4), nn.GroupNorm(2, features)
        self.conv_1 = nn.Conv1d(4, features, 3, stride, 1, bias=False)
        self.conv_2 = nn.Conv1d(features, features, 3, 1, 1, bias=False)
        self.short = None
        if stride != 1 or features != 4:
            self.short = nn.Conv1d(4, features, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.norm_1(x))
        y: Tensor = self.conv_2(F.relu(self.norm_2(self.conv_1(h))))
        return y + (x if self.short is None else self.short(h))


def preactivated() -> None:
    for features, stride in ((4, 1), (6, 2)):
        module = Preactivated(features, stride)
        record(
            "preactivation_block", module, same(module) | {"short": "short_conv"},
            leaf(2, 5, 4), features=features, stride=stride, norm="group_norm", groups=2,
        )  # fmt: skip


class Diffusing(nn.Module):  # type: ignore[misc]
    """The residual block of arXiv:2006.11239, appendix B."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.norm_1, self.norm_2 = nn.GroupNorm(2, 4), nn.GroupNorm(2, features)
        self.conv_1 = nn.Conv2d(4, features, 3, 1, 1)
        self.conv_2 = nn.Conv2d(features, features, 3, 1, 1)
        self.time = nn.Linear(3, features)
        if features != 4:
            self.short_conv = nn.Conv2d(4, features, 1)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        y = self.conv_1(F.silu(self.norm_1(x)))
        y = y + self.time(F.silu(embedding))[:, :, None, None]
        y = self.conv_2(F.silu(self.norm_2(y)))
        short: Tensor = self.short_conv(x) if hasattr(self, "short_conv") else x
        return short + y


def diffusing() -> None:
    x, embedding = leaf(2, 3, 3, 4), leaf(2, 3)
    for features in (4, 6):
        module = Diffusing(features)
        recorded(
            "diffusion_block", module, same(module), {"x": x, "embedding": embedding},
            lambda f: last(f(first(x, 2), embedding), 2), features=features, groups=2,
        )  # fmt: skip


def narrow_ends() -> None:
    x = leaf(2, 5, 4, 4)
    parts = {"expand_1x1": "expand", "conv_3x3": "depthwise", "reduce_1x1": "project"}
    places = {f"{k}.convolution": v for k, v in parts.items()}
    places |= {f"{k}.normalization": f"{v}_norm" for k, v in parts.items()}
    for tf_padding, stride, features in ((False, 1, 4), (True, 2, 6)):
        config = mobilenet.MobileNetV2Config(
            expand_ratio=2, depth_divisible_by=2, min_depth=2, tf_padding=tf_padding
        )
        record(
            "inverted_residual",
            mobilenet.MobileNetV2InvertedResidual(config, 4, features, stride), places, x,
            hidden=8, features=features, stride=stride, eps=1e-3,
            padding="SAME" if tf_padding else "symmetric",
        )  # fmt: skip
    config = efficientnet.EfficientNetConfig(squeeze_expansion_ratio=0.5)
    names = {
        "expansion.expand_conv": "expand", "expansion.expand_bn": "expand_norm",
        "depthwise_conv.depthwise_conv": "depthwise",
        "depthwise_conv.depthwise_norm": "depthwise_norm",
        "squeeze_excite.reduce": "se.down", "squeeze_excite.expand": "se.up",
        "projection.project_conv": "project", "projection.project_bn": "project_norm",
    }  # fmt: skip
    for ratio, kernel in ((2, 5), (1, 3)):
        module = efficientnet.EfficientNetBlock(
            config, 4, 4, 1, ratio, kernel, 0.0, False, True
        )
        record(
            "inverted_residual", as_linear(module), names, x, hidden=4 * ratio, squeeze=2,
            kernel=kernel, activation="silu", squeeze_activation="silu", eps=1e-3,
        )  # fmt: skip
    module = efficientnet.EfficientNetSqueezeExciteLayer(config, 4, 4)
    names = {"reduce": "down", "expand": "up"}
    record(
        "squeeze_excitation", as_linear(module), names, x, hidden=2, activation="silu"
    )


class Pointwise(nn.Linear):  # type: ignore[misc]
    """A convolution of 1, its kernel kept as a matrix."""

    def forward(self, x: Tensor) -> Tensor:
        return first(super().forward(last(x, 2)), 2)


def as_linear(module: nn.Module) -> nn.Module:
    """The same with linear maps where features are squeezed."""
    for part in module.modules():
        if isinstance(part, efficientnet.EfficientNetSqueezeExciteLayer):
            part.reduce = Pointwise(part.dim, part.dim_se)
            part.expand = Pointwise(part.dim_se, part.dim)
    return module


def others() -> None:
    x = leaf(2, 5, 4, 4)
    places = {
        "dwconv": "depthwise", "layernorm": "norm", "pwconv1": "up", "pwconv2": "down",
        "layer_scale_parameter": "scale",
    }  # fmt: skip
    module: nn.Module = convnext.ConvNextLayer(convnext.ConvNextConfig(), 4)
    record("convnext_block", module, places, x)
    config = vit.ViTConfig(image_size=4, patch_size=2, num_channels=3, hidden_size=5)
    image = leaf(2, 4, 4, 3)
    recorded(
        "patch_embedding", vit.ViTPatchEmbeddings(config), {"projection": "proj"},
        {"x": image}, lambda f: f(first(image, 2)), patch=2, features=5,
    )  # fmt: skip


class Level(nn.Module):  # type: ignore[misc]
    def __init__(self, before: int, features: int) -> None:
        super().__init__()
        self.conv_1 = nn.Conv2d(before, features, 3, 1, 1, bias=False)
        self.conv_2 = nn.Conv2d(features, features, 3, 1, 1, bias=False)
        self.norm_1, self.norm_2 = nn.BatchNorm2d(features), nn.BatchNorm2d(features)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm_1(self.conv_1(x)))
        return F.relu(self.norm_2(self.conv_2(x)))


class UNet(nn.Module):  # type: ignore[misc]
    """Figure 1 of arXiv:1505.04597, of three levels."""

    def __init__(self, nearest: bool) -> None:
        super().__init__()
        self.nearest = nearest
        self.down_0, self.down_1, self.middle = Level(3, 2), Level(2, 3), Level(3, 4)
        self.up_1, self.up_0 = Level(6, 3), Level(4, 2)
        if nearest:
            self.grow_1, self.grow_0 = (
                nn.Conv2d(*s, 3, 1, 1) for s in ((4, 3), (3, 2))
            )
        else:
            self.grow_1 = nn.ConvTranspose2d(4, 3, 2, 2)
            self.grow_0 = nn.ConvTranspose2d(3, 2, 2, 2)

    def grown(self, layer: nn.Module, x: Tensor, skip: Tensor) -> Tensor:
        if self.nearest:
            x = F.interpolate(x, skip.shape[2:], mode="nearest-exact")
        return torch.cat([skip, layer(x)], 1)

    def forward(self, x: Tensor) -> Tensor:
        high = self.down_0(x)
        low = self.down_1(F.max_pool2d(high, 2))
        y = self.middle(F.max_pool2d(low, 2))
        y = self.up_1(self.grown(self.grow_1, y, low))
        y = self.up_0(self.grown(self.grow_0, y, high))
        return y


def unets() -> None:
    for nearest in (False, True):
        module = UNet(nearest)
        x = leaf(2, 7, 6, 3) if nearest else leaf(2, 8, 4, 3)
        record(
            "unet", module, same(module), x, widths=[2, 3, 4],
            upsample="nearest" if nearest else "conv_transpose",
        )  # fmt: skip
    level = Level(3, 2)
    record("double_conv", level, same(level), leaf(2, 3, 3, 3), features=2)


def same(module: nn.Module) -> dict[str, str]:
    """Places of parts that have our names."""
    return {name: name for name, _ in module.named_modules() if name}


def make() -> None:
    """All cases, in order."""
    torch.manual_seed(5)
    for family in (resnets, preactivated, diffusing, narrow_ends, others, unets):
        family()


if __name__ == "__main__":
    make()
    save(FILE)
