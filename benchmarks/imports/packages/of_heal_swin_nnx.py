"""U-Nets of heal-swin-nnx, on the pixels of a sphere and on images."""

from __future__ import annotations

from typing import Any

from flax import nnx
from heal_swin_nnx.models import healconv, healswin, swin

import blox as bx

from . import Example

SIZES = {
    "in_channels": 2,
    "out_channels": 3,
    "embed_dim": 8,
    "depths": (2, 2),
    "drop_path_rate": 0.0,
    "dtype": "float32",
}


def _of(model: Any, *shape: int) -> Example:
    model.eval()
    return Example(lambda m, x: m(x), {"x": bx.Input(["batch", *shape])}, model)


def heal_swin() -> Example:
    params = healswin.HealSwinParams(nside=8, num_heads=(2, 2), **SIZES)
    return _of(healswin.HealSwin(params, rngs=nnx.Rngs(0)), 12 * 8 * 8, 2)


def heal_conv() -> Example:
    params = healconv.HealConvParams(nside=8, **SIZES)
    return _of(healconv.HealConv(params, rngs=nnx.Rngs(0)), 12 * 8 * 8, 2)


def swin_unet() -> Example:
    params = swin.SwinParams(
        img_size=(16, 16),
        patch_size=(2, 2),
        window_size=(4, 4),
        num_heads=(2, 2),
        **SIZES,
    )
    return _of(swin.SwinUnet(params, rngs=nnx.Rngs(0)), 16, 16, 2)
