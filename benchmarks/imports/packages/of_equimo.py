"""Vision models of equimo."""

from typing import Any

import equinox as eqx
import jax
from equimo import models

import blox as bx

from . import Example

KEY = jax.random.key(0)


def _vision(model: Any, size: int = 32) -> Example:
    return Example(
        lambda m, image: jax.vmap(lambda one: m(one, key=KEY))(image),
        {"image": bx.Input(["batch", 3, size, size])},
        eqx.nn.inference_mode(model),
    )


def vision_transformer() -> Example:
    model = models.VisionTransformer(
        16, 3, 16, 4, 2, [2], reg_tokens=2, num_classes=5, key=KEY
    )
    return _vision(model, 16)


def convnext() -> Example:
    model = models.ConvNeXt(
        3, dims=[8, 8, 16, 16], depths=[1, 1, 2, 1], num_classes=5, key=KEY
    )
    return _vision(model)


def mobilenet_v3() -> Example:
    layers = [(8, 8, 3, 2, True, "relu"), (8, 16, 3, 2, False, "hard_swish")]
    model = models.MobileNetv3(3, layers, last_channels=16, num_classes=5, key=KEY)
    return _vision(model)


def lowformer() -> Example:
    model = models.LowFormer(
        3,
        [4, 8, 8, 16, 16],
        [0, 1, 1, 1, 1],
        [2, 2, 2, 2, 1],
        ["conv", "conv", "conv", "attention", "attention"],
        attention_type="softmax",
        num_classes=5,
        key=KEY,
    )
    return _vision(model, 64)


def reduceformer() -> Example:
    model = models.ReduceFormer(
        3,
        [4, 8, 8, 16, 16],
        [1, 1, 1, 1, 1],
        ["conv", "conv", "conv", "attention", "attention"],
        head_dim=8,
        num_classes=5,
        key=KEY,
    )
    return _vision(model, 64)


def mlla() -> Example:
    model = models.Mlla(
        32,
        3,
        dim=8,
        depths=[1, 1, 1, 1],
        num_heads=[1, 2, 2, 2],
        num_classes=5,
        key=KEY,
    )
    return _vision(model)


def vssd() -> Example:
    model = models.Vssd(
        32,
        3,
        dim=8,
        d_state=4,
        depths=[1, 1, 1, 1],
        num_heads=[1, 2, 2, 2],
        num_classes=5,
        key=KEY,
    )
    return _vision(model)


def partialformer() -> Example:
    model = models.PartialFormer(
        224, 3, 8, [1, 2, 2, 2], [1, 1, 1, 1], 0.5, num_classes=5, key=KEY
    )
    return _vision(model, 224)
