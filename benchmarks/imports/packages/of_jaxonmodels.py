"""Models of jaxonmodels."""

from typing import Any

import equinox as eqx
import jax
from jaxonmodels.models import alexnet, clip, efficientnet, resnet, vit

import blox as bx

from . import Example

KEY = jax.random.key(0)


def _stateful(made: Any, size: int, *, keyed: bool = False) -> Example:
    model, state = made
    extra = {"key": KEY} if keyed else {}

    def classify(given: Any, image: jax.Array) -> Any:
        model, state = given
        run = jax.vmap(
            lambda one: model(one, state, **extra),
            axis_name="batch",
            out_axes=(0, None),
        )
        return run(image)

    return Example(
        classify,
        {"image": bx.Input(["batch", 3, size, size])},
        (eqx.nn.inference_mode(model), state),
    )


def _resnet(block: Any, groups: int = 1) -> Example:
    made = eqx.nn.make_with_state(resnet.ResNet)(
        block,
        [1, 1, 1, 1],
        5,
        zero_init_residual=False,
        groups=groups,
        width_per_group=64 if groups == 1 else 4,
        replace_stride_with_dilation=None,
        key=KEY,
    )
    return _stateful(made, 32)


def resnet_basic() -> Example:
    return _resnet(resnet.BasicBlock)


def resnet_bottleneck() -> Example:
    return _resnet(resnet.Bottleneck)


def resnext() -> Example:
    return _resnet(resnet.Bottleneck, groups=32)


def efficient_net() -> Example:
    settings = [
        efficientnet.MBConvConfig(1, 3, 1, 8, 8, 1),
        efficientnet.MBConvConfig(4, 3, 2, 8, 16, 2),
    ]
    made = eqx.nn.make_with_state(efficientnet.EfficientNet)(
        settings, 0.0, stochastic_depth_prob=0.0, n_classes=5, key=KEY
    )
    return _stateful(made, 32, keyed=True)


def alex_net() -> Example:
    model = eqx.nn.inference_mode(alexnet.AlexNet(n_classes=5, key=KEY))
    return Example(
        lambda m, image: jax.vmap(m)(image),
        {"image": bx.Input(["batch", 3, 224, 224])},
        model,
    )


def vision_transformer() -> Example:
    model = vit.VisionTransformer(16, 4, 16, 2, 2, 8, key=KEY)
    return Example(
        lambda m, image: jax.vmap(lambda one: m(one, inference=True)[0])(image),
        {"image": bx.Input(["batch", 3, 16, 16])},
        model,
    )


def clip_transformer() -> Example:
    model = clip.CLIP(
        8, 16, 1, 64, 8, 7, 11, 8, 2, 2, inference=True, axis_name="batch", key=KEY
    )
    return Example(
        lambda m, image, text: jax.vmap(lambda i, t: m(i, t, None)[:2])(image, text),
        {
            "image": bx.Input(["batch", 3, 16, 16]),
            "text": bx.Input(["batch", 1, 7], "int32"),
        },
        model,
    )
