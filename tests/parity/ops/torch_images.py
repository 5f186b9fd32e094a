"""Writes torch_images.safetensors: convolutions, pools, images, windows as in PyTorch.

    python tests/parity/ops/torch_images.py     (extra `parity`)

As torch_reference.py, with gradients. The first cases of an op are in every run of the
tests, the others in the slow one.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch_reference import FILE as REFERENCE
from torch_reference import case, first, last, randn, same, save
from transformers.audio_utils import mel_filter_bank

FILE = REFERENCE.with_name("torch_images.safetensors")
CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}
seen: dict[str, int] = {}


def slow(op: str, fast: int = 2) -> bool:
    """True but for the first cases of an op."""
    seen[op] = seen.get(op, 0) + 1
    return seen[op] > fast


def leaf(*shape: int) -> Tensor:
    return randn(*shape).requires_grad_()


def each(value: Any, n: int) -> list[Any]:
    return value if isinstance(value, list) else [value] * n


def padded_convolutions() -> None:
    modes = ("reflect", "replicate", "circular", "zeros")
    for mode, (window, stride, dilation, groups, padding) in product(
        modes,
        [
            ((3,), 1, 1, 1, "SAME"),
            ((4,), 2, 1, 2, "SAME"),
            ((2, 3), [2, 1], [1, 2], 4, [[1, 0], [2, 3]]),
            ((4, 2), 1, 1, 2, "SAME_LOWER"),
            ((3, 2), 2, 2, 1, "CAUSAL"),
            ((2, 1, 3), 1, 1, 1, [[1, 0], [0, 2], [1, 1]]),
        ],
    ):
        n = len(window)
        sizes = {1: (7,), 2: (5, 6), 3: (3, 3, 4)}[n]
        x, kernel, bias = leaf(1, *sizes, 4), leaf(*window, 4 // groups, 4), leaf(4)
        strides, dilations = each(stride, n), each(dilation, n)
        pads = padding if isinstance(padding, list) else []
        for i in range(0 if pads else n):
            pair = same(sizes[i], window[i], strides[i], dilations[i])
            if padding == "SAME_LOWER":
                pair = pair[::-1]
            if padding == "CAUSAL":
                pair = (dilations[i] * (window[i] - 1), 0)
            pads = [*pads, pair]
        flat = [p for pair in reversed(pads) for p in pair]
        padded = F.pad(first(x, n), flat, "constant" if mode == "zeros" else mode)
        turned = kernel.permute(n + 1, n, *range(n))
        y = CONV[n](padded, turned, bias, strides, 0, dilations, groups)
        case(
            "conv", {"x": x, "kernel": kernel, "bias": bias}, last(y, n),
            in_features=4, out_features=4, kernel_size=list(window), strides=stride,
            padding=padding, dilation=dilation, groups=groups, padding_mode=mode,
            slow=slow("conv"),
        )  # fmt: skip


def transposed_convolutions() -> None:
    settings: list[tuple[Any, ...]] = [
        ((3, 2), [2, 3], [1, 0], [1, 2], 1, 1),
        ((4, 3), 2, [1, 1], [0, 1], [2, 1], 2),
        ((3,), 1, [0], 0, 1, 1),
        ((4,), 2, [1], 0, 1, 4),
        ((2,), 3, [0], 2, 1, 2),
        ((3,), 2, [2], 1, 2, 1),
        ((2, 3), [3, 1], [2, 0], 0, [3, 1], 4),
        ((1, 1), 2, [0, 0], 1, 1, 1),
        ((2, 3, 2), [1, 2, 2], [0, 1, 0], [0, 1, 1], 1, 2),
    ]
    for window, stride, pad, extra, dilation, groups in settings:
        n = len(window)
        sizes = {1: (5,), 2: (3, 4), 3: (2, 3, 2)}[n]
        x, kernel, bias = leaf(1, *sizes, 4), leaf(*window, 4 // groups, 8), leaf(8)
        parts = kernel.permute(n, n + 1, *range(n)).chunk(groups, 1)
        y = TRANSPOSED[n](
            first(x, n), torch.cat(parts), bias, stride, pad, extra, groups, dilation
        )
        case(
            "conv_transpose", {"x": x, "kernel": kernel, "bias": bias}, last(y, n),
            in_features=4, out_features=8, kernel_size=list(window), strides=stride,
            padding=[[p, p] for p in pad], dilation=dilation, groups=groups,
            output_padding=extra, slow=slow("conv_transpose"),
        )  # fmt: skip
    # SAME and VALID are the transposes of what `conv` does with them.
    for window, stride, padding in product((1, 2, 3, 4), (1, 2, 3), ("SAME", "VALID")):
        x, kernel = leaf(1, 4, 3), leaf(window, 3, 2)
        size = 4 * stride if padding == "SAME" else 3 * stride + window
        image = torch.zeros(1, 2, size, requires_grad=True)
        pair = same(size, window, stride, 1) if padding == "SAME" else (0, 0)
        y = F.conv1d(F.pad(image, pair), kernel.permute(1, 2, 0), stride=stride)
        (back,) = torch.autograd.grad(y, image, first(x, 1), create_graph=True)
        case(
            "conv_transpose", {"x": x, "kernel": kernel}, last(back, 1),
            in_features=3, out_features=2, kernel_size=[window], strides=stride,
            padding=padding, use_bias=False, slow=slow("conv_transpose"),
        )  # fmt: skip


def pools() -> None:
    x = leaf(1, 7, 8, 2)
    y = first(x, 2)
    settings = [((3, 2), (2, 1), (1, 1), (1, 2)), ((2, 2), (1, 2), (0, 1), (3, 2))]
    for window, stride, pad, rate in [*settings, ((3, 3), (2, 2), (1, 1), (1, 1))]:
        for ceil in (True, False):
            shared: dict[str, Any] = {
                "window": list(window), "strides": list(stride), "dilation": list(rate),
                "padding": [[p, p] for p in pad],
            }  # fmt: skip
            top = F.max_pool2d(y, window, stride, pad, rate, ceil_mode=ceil)
            late = slow("max_pool")
            case(
                "max_pool", {"x": x}, last(top, 2), ceil_mode=ceil, slow=late, **shared
            )
            low = -F.max_pool2d(-y, window, stride, pad, rate, ceil_mode=ceil)
            case(
                "min_pool", {"x": x}, last(low, 2), ceil_mode=ceil, slow=late, **shared
            )
            for count in (True, False):
                mean = F.avg_pool2d(y, window, stride, pad, ceil, count)
                case(
                    "avg_pool", {"x": x}, last(mean, 2), ceil_mode=ceil,
                    count_include_pad=count, slow=slow("avg_pool"),
                    **(shared | {"dilation": 1}),
                )  # fmt: skip
        values, places = F.max_pool2d(y, window, stride, pad, rate, return_indices=True)
        case(
            "max_pool_with_indices", {"x": x}, last(values, 2), last(places, 2).int(),
            slow=slow("max_pool_with_indices"), **shared,
        )  # fmt: skip
    for power, window in ((2.0, (3, 2)), (4.0, (2, 2)), (2.0, (1, 3))):
        # PyTorch scales what reaches beyond the end: compared without `ceil_mode`.
        y = F.lp_pool2d(first(x, 2), power, window, 2)
        case(
            "lp_pool", {"x": x}, last(y, 2), window=list(window), strides=2,
            power=power, slow=slow("lp_pool"),
        )  # fmt: skip
    values, places = F.max_pool2d(first(x, 2), 2, return_indices=True)
    small = last(values, 2).detach().requires_grad_()
    y = F.max_unpool2d(first(small, 2), places, 2, output_size=(7, 8))
    arrays = {"x": small, "indices": last(places, 2).int()}
    case("max_unpool", arrays, last(y, 2), sizes=[7, 8])


def sizes() -> None:
    methods: list[tuple[str, str, bool, dict[str, Any]]] = [
        ("linear", "half_pixel", False, {"mode": "bilinear"}),
        ("linear", "align_corners", False, {"mode": "bilinear", "align_corners": True}),
        ("nearest", "asymmetric", False, {"mode": "nearest"}),
        ("cubic_edge", "half_pixel", False, {"mode": "bicubic"}),
        ("linear", "half_pixel", True, {"mode": "bilinear", "antialias": True}),
        ("cubic", "half_pixel", True, {"mode": "bicubic", "antialias": True}),
        ("nearest", "half_pixel", False, {"mode": "nearest-exact"}),
        (
            "cubic_edge", "align_corners", False,
            {"mode": "bicubic", "align_corners": True},
        ),
    ]  # fmt: skip
    x = leaf(1, 5, 6, 2)
    for size in ((3, 11), (8, 4), (1, 6), (10, 1), (15, 12)):
        for method, coordinates, antialias, theirs in methods:
            y = F.interpolate(first(x, 2), size, **theirs)
            case(
                "resize", {"x": x}, last(y, 2), sizes=list(size), method=method,
                coordinates=coordinates, antialias=antialias, slow=slow("resize", 6),
            )  # fmt: skip
    for n, mode in ((1, "linear"), (3, "trilinear")):
        x = leaf(1, *(3, 4, 5)[:n], 2)
        for aligned in (True, False):
            volume = [5, 3, 7][:n]
            y = F.interpolate(first(x, n), volume, mode=mode, align_corners=aligned)
            case(
                "resize", {"x": x}, last(y, n), sizes=volume, method="linear",
                coordinates="align_corners" if aligned else "half_pixel",
                antialias=False, slow=True,
            )  # fmt: skip


def samples() -> None:
    x = leaf(2, 4, 5, 2)
    grid = (1.3 * torch.randn(2, 3, 4, 2)).float().double().requires_grad_()
    names = {"linear": "bilinear", "nearest": "nearest", "cubic": "bicubic"}
    for method, mode, aligned in product(
        names, ("zeros", "border", "reflection"), (False, True)
    ):
        y = F.grid_sample(first(x, 2), grid, names[method], mode, aligned)
        given = grid if method == "linear" else grid.detach()
        case(
            "grid_sample", {"x": x, "grid": given}, last(y, 2), method=method,
            padding_mode=mode, align_corners=aligned,
            slow=slow("grid_sample", 3) and (method, mode) != ("cubic", "reflection"),
        )  # fmt: skip
    x, grid = leaf(1, 3, 4, 2, 2), leaf(1, 2, 1, 3, 3)
    y = F.grid_sample(first(x, 3), grid, align_corners=True)
    case(
        "grid_sample", {"x": x, "grid": grid}, last(y, 3), align_corners=True, slow=True
    )
    for aligned in (False, True):
        theta = leaf(2, 2, 3)
        y = F.affine_grid(theta, [2, 1, 3, 4], align_corners=aligned)
        case("affine_grid", {"theta": theta}, y, sizes=[3, 4], align_corners=aligned)
        theta = leaf(1, 3, 4)
        y = F.affine_grid(theta, [1, 1, 2, 3, 4], align_corners=aligned)
        case(
            "affine_grid", {"theta": theta}, y, sizes=[2, 3, 4],
            align_corners=aligned, slow=True,
        )  # fmt: skip


def patches() -> None:
    x = leaf(1, 5, 6, 3)
    for window, rate, pad, stride in (
        ((3, 2), (1, 2), (1, 0), (2, 1)),
        ((2, 2), (1, 1), (0, 0), (2, 2)),
        ((2, 3), (2, 1), (1, 2), (1, 3)),
    ):
        shared: dict[str, Any] = {
            "window": list(window), "strides": list(stride), "dilation": list(rate),
            "padding": [[p, p] for p in pad],
        }  # fmt: skip
        y = F.unfold(first(x, 2), window, rate, pad, stride)
        counts = [
            (n + 2 * p - r * (w - 1) - 1) // s + 1
            for n, p, r, w, s in zip((5, 6), pad, rate, window, stride, strict=True)
        ]
        k = window[0] * window[1]
        ours = y.reshape(1, 3, k, *counts).permute(0, 3, 4, 2, 1).flatten(-2)
        case("im2col", {"x": x}, ours, slow=slow("im2col"), **shared)
        z = leaf(1, *counts, k * 3)
        theirs = z.unflatten(-1, (k, 3)).permute(0, 4, 3, 1, 2)
        back = F.fold(theirs.reshape(1, 3 * k, -1), (5, 6), window, rate, pad, stride)
        case(
            "col2im", {"x": z}, last(back, 2), sizes=[5, 6], slow=slow("col2im"),
            **shared,
        )  # fmt: skip
    for size in (3, 4, 1):
        y = F.local_response_norm(first(x, 2), size, 0.3, 0.6, 1.5)
        case(
            "local_response_norm", {"x": x}, last(y, 2), size=size, alpha=0.3,
            beta=0.6, k=1.5, slow=slow("local_response_norm"),
        )  # fmt: skip
    x = leaf(1, 2, 3, 8)
    y = F.pixel_shuffle(first(x, 2), 2)
    case("depth_to_space", {"x": x}, last(y, 2), block=[2, 2], order="CRD")
    x = leaf(1, 4, 6, 2)
    y = F.pixel_unshuffle(first(x, 2), 2)
    case("space_to_depth", {"x": x}, last(y, 2), block=[2, 2], order="CRD")


def signals() -> None:
    makers = {
        "hanning": torch.hann_window, "hamming": torch.hamming_window,
        "blackman": torch.blackman_window,
    }  # fmt: skip
    for (op, maker), periodic, size in product(
        makers.items(), (True, False), (1, 2, 9, 100)
    ):
        case(op, {}, maker(size, periodic), size=size, periodic=periodic, slow=slow(op))
    for scale, norm, low, mels in product(
        ("slaney", "htk"), ("none", "slaney"), (50.0, 0.0), (5, 12)
    ):
        bank = mel_filter_bank(
            65, mels, low, 7000.0, 16000, norm if norm == "slaney" else None, scale
        )
        case(
            "mel_filter_bank", {}, torch.tensor(bank), num_frequencies=65,
            num_mels=mels, sample_rate=16000.0, low=low, high=7000.0, scale=scale,
            norm=norm, slow=slow("mel_filter_bank"),
        )  # fmt: skip


def make() -> None:
    """All cases, in order."""
    torch.manual_seed(1)
    for family in (
        padded_convolutions,
        transposed_convolutions,
        pools,
        sizes,
        samples,
        patches,
        signals,
    ):
        family()


if __name__ == "__main__":
    make()
    save(FILE)
