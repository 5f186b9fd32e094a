"""Writes torch_reference.safetensors: what PyTorch gives, in float64, for our ops.

    python tests/parity/ops/torch_reference.py     (extra `parity`)

A case is a node's attributes, its operands and parameters in our layout, the outputs,
and the gradients of operands that ask for one. Nothing of blox is imported, so that
layouts are turned by this file alone.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file
from torch import Tensor

FILE = Path(__file__).parents[2] / "ops" / "torch_reference.safetensors"
CASES: list[tuple[dict[str, Any], dict[str, Tensor], list[Tensor]]] = []
"""What a file says of each case, the arrays that are given, and the outputs."""
torch.manual_seed(0)
torch.set_default_dtype(torch.float64)


def exact32(x: Tensor) -> np.ndarray:
    """As NumPy, floats in float32, complex numbers in complex64."""
    x = x.detach().resolve_conj()
    x = x.to(torch.complex64) if x.is_complex() else x
    return np.ascontiguousarray((x.float() if x.is_floating_point() else x).numpy())


def randn(*shape: int) -> Tensor:
    """Normal numbers that float32 holds."""
    return torch.randn(*shape).float().double()


def case(
    op: str,
    arrays: dict[str, Tensor],
    *outputs: Tensor,
    slow: bool = False,
    **attributes: Any,
) -> None:
    about: dict[str, Any] = {"spec": {"op": op, **attributes}, "given": list(arrays)}
    if slow:
        about["slow"] = True
    CASES.append((about, arrays, list(outputs)))


def slopes(arrays: dict[str, Tensor], outputs: list[Tensor]) -> dict[str, Tensor]:
    """Gradients of the sum of all outputs times cosines, real and imaginary parts side
    by side."""
    asked = {n: x for n, x in arrays.items() if x.requires_grad}
    if not asked:
        return {}
    parts = [
        torch.view_as_real(y.resolve_conj()) if y.is_complex() else y for y in outputs
    ]
    floats = [y for y in parts if y.is_floating_point()]
    total = sum(
        (y * torch.arange(y.numel()).cos().reshape(y.shape)).sum() for y in floats
    )
    return dict(zip(asked, torch.autograd.grad(total, [*asked.values()]), strict=True))


def first(x: Tensor, spatial: int) -> Tensor:
    """Channels last to channels first."""
    return x.movedim(-1, -spatial - 1)


def last(x: Tensor, spatial: int) -> Tensor:
    return x.movedim(-spatial - 1, -1)


def activations() -> None:
    x = (3 * randn(3, 4)).float().double()
    names = {
        "relu": F.relu, "relu6": F.relu6, "leaky_relu": F.leaky_relu, "elu": F.elu,
        "celu": F.celu, "selu": F.selu, "silu": F.silu, "mish": F.mish,
        "softplus": F.softplus, "soft_sign": F.softsign, "sigmoid": torch.sigmoid,
        "log_sigmoid": F.logsigmoid, "hard_sigmoid": F.hardsigmoid,
        "hard_silu": F.hardswish, "hard_tanh": F.hardtanh, "tanh": torch.tanh,
        "glu": F.glu, "erf": torch.erf, "exp": torch.exp, "round": torch.round,
    }  # fmt: skip
    for name, function in names.items():
        case(name, {"x": x}, function(x))
    case("leaky_relu", {"x": x}, F.leaky_relu(x, 0.2), negative_slope=0.2)
    case("elu", {"x": x}, F.elu(x, 0.5), alpha=0.5)
    case("celu", {"x": x}, F.celu(x, 0.5), alpha=0.5)
    case("gelu", {"x": x}, F.gelu(x), approximate=False)
    case("gelu", {"x": x}, F.gelu(x, approximate="tanh"), approximate=True)
    for axis in (-1, 0):
        case("softmax", {"x": x}, F.softmax(x, axis), axis=axis)
        case("log_softmax", {"x": x}, F.log_softmax(x, axis), axis=axis)
        case("logsumexp", {"x": x}, torch.logsumexp(x, axis), axis=axis)
    x = (100 * randn(2, 5)).float().double()
    case("softmax", {"x": x}, F.softmax(x, -1))


def norms() -> None:
    # A large mean: a one-pass variance would be off.
    x = (randn(2, 5, 8) + 50).float().double()
    scale, bias = randn(8), randn(8)
    affine = {"x": x, "scale": scale, "bias": bias}
    case("layer_norm", affine, F.layer_norm(x, (8,), scale, bias), features=8, eps=1e-5)
    case(
        "layer_norm", {"x": x}, F.layer_norm(x, (8,), eps=0.1),
        features=8, eps=0.1, use_scale=False, use_bias=False,
    )  # fmt: skip
    x = randn(2, 5, 8)
    y = F.rms_norm(x, (8,), scale, 1e-6)
    case("rms_norm", {"x": x, "scale": scale}, y, features=8, eps=1e-6)
    x = (3 * randn(4, 5, 8) + 2).float().double()
    for train in (True, False):
        module = torch.nn.BatchNorm1d(8, eps=1e-3, momentum=0.2)
        with torch.no_grad():
            module.weight.copy_(scale)
            module.bias.copy_(bias)
            module.running_mean.copy_(randn(8))
            module.running_var.copy_(torch.rand(8).float().double() + 0.5)
        module.train(train)
        old = {
            "mean": module.running_mean.clone(),
            "var": module.running_var.clone(),
        }
        y = last(module(first(x, 1)), 1)
        new = [module.running_mean, module.running_var] if train else []
        case(
            "batch_norm", {"x": x, "scale": scale, "bias": bias, **old}, y, *new,
            features=8, eps=1e-3, momentum=0.8, unbiased=True, train=train,
        )  # fmt: skip


def same(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """TensorFlow's SAME, as its documentation has it."""
    total = max(
        (-(-size // stride) - 1) * stride + dilation * (kernel - 1) + 1 - size, 0
    )
    return total // 2, total - total // 2


def convolutions() -> None:
    modes = ("zeros", "reflect", "replicate", "circular")
    settings: list[tuple[Any, ...]] = [
        ((9,), (3,), 1, "SAME", 1, 1, "zeros"),
        ((9,), (4,), 2, "SAME", 1, 1, "zeros"),
        ((9,), (4,), 2, "SAME_LOWER", 1, 1, "zeros"),
        ((9,), (3,), 1, "CAUSAL", 2, 1, "zeros"),
        ((7, 8), (3, 2), [2, 1], "SAME", [1, 2], 2, "zeros"),
        ((7, 8), (3, 3), 2, "VALID", 1, 4, "zeros"),
        ((4, 5, 6), (2, 3, 2), 1, [[1, 0], [0, 2], [1, 1]], 1, 1, "zeros"),
        *(((7, 8), (3, 3), 1, [[1, 2], [0, 1]], 1, 1, mode) for mode in modes),
        *(((8,), (4,), 1, "SAME", 1, 1, mode) for mode in modes),
    ]
    conv = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
    for sizes, window, stride, padding, dilation, groups, mode in settings:
        n = len(sizes)
        x = randn(2, *sizes, 4)
        kernel = randn(*window, 4 // groups, 8)
        bias = randn(8)
        strides = stride if isinstance(stride, list) else [stride] * n
        dilations = dilation if isinstance(dilation, list) else [dilation] * n
        pads = padding if isinstance(padding, list) else []
        for i in range(0 if pads else n):
            pair = same(sizes[i], window[i], strides[i], dilations[i])
            if padding == "SAME_LOWER":
                pair = pair[::-1]
            if padding == "CAUSAL":
                pair = (dilations[i] * (window[i] - 1), 0)
            pads = [*pads, (0, 0) if padding == "VALID" else pair]
        flat = [p for pair in reversed(pads) for p in pair]
        padded = F.pad(first(x, n), flat, "constant" if mode == "zeros" else mode)
        turned = kernel.permute(n + 1, n, *range(n))
        y = conv[n](padded, turned, bias, strides, 0, dilations, groups)
        case(
            "conv", {"x": x, "kernel": kernel, "bias": bias}, last(y, n),
            in_features=4, out_features=8, kernel_size=list(window), strides=stride,
            padding=padding, dilation=dilation, groups=groups, padding_mode=mode,
        )  # fmt: skip


def pools() -> None:
    x = randn(2, 7, 8, 3)
    y = first(x, 2)
    for window, stride, pad in (((3, 2), 2, 1), ((3, 3), 3, 0), ((2, 2), 3, 1)):
        for ceil in (False, True):
            shared: dict[str, Any] = {
                "window": list(window), "strides": stride, "padding": [[pad] * 2] * 2,
                "ceil_mode": ceil,
            }  # fmt: skip
            top = F.max_pool2d(y, window, stride, pad, ceil_mode=ceil)
            case("max_pool", {"x": x}, last(top, 2), **shared)
            low = -F.max_pool2d(-y, window, stride, pad, ceil_mode=ceil)
            case("min_pool", {"x": x}, last(low, 2), **shared)
            for count in (False, True):
                mean = F.avg_pool2d(y, window, stride, pad, ceil, count)
                case(
                    "avg_pool", {"x": x}, last(mean, 2),
                    count_include_pad=count, **shared,
                )  # fmt: skip
    case("avg_pool", {"x": x}, last(F.avg_pool2d(y, 2), 2), window=[2, 2])
    for sizes in ((1, 1), (3, 5), (7, 4)):
        mean, top = F.adaptive_avg_pool2d(y, sizes), F.adaptive_max_pool2d(y, sizes)
        case("adaptive_avg_pool", {"x": x}, last(mean, 2), sizes=list(sizes))
        case("adaptive_max_pool", {"x": x}, last(top, 2), sizes=list(sizes))


def attention() -> None:
    query = randn(2, 5, 4, 8)
    mask = torch.rand(2, 1, 5, 6) > 0.4
    mask[..., 0] = True
    bias = randn(4, 5, 6)
    for heads in (4, 2, 1):
        key, value = randn(2, 6, heads, 8), randn(2, 6, heads, 7)
        arrays = {"query": query, "key": key, "value": value}
        q, k, v = (a.transpose(1, 2) for a in arrays.values())
        sdpa = F.scaled_dot_product_attention
        y = sdpa(q, k, v, enable_gqa=True).transpose(1, 2)
        own: dict[str, Any] = {"heads_per_kv": 4 // heads}
        case("dot_product_attention", arrays, y, **own)
        y = sdpa(q, k, v, mask, scale=0.3, enable_gqa=True).transpose(1, 2)
        case("dot_product_attention", arrays | {"mask": mask}, y, scale=0.3, **own)
        both = torch.where(mask, bias, -torch.inf)
        y = sdpa(q, k, v, both, enable_gqa=True).transpose(1, 2)
        case("dot_product_attention", arrays | {"mask": mask, "bias": bias}, y, **own)


def rotary() -> None:
    from transformers.models.gptj.modeling_gptj import (
        apply_rotary_pos_emb as interleaved,
    )
    from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

    x = randn(2, 5, 3, 8)
    angles = torch.arange(5.0)[:, None] * 10000 ** (-torch.arange(0, 8, 2) / 8)
    cos, sin = angles.cos(), angles.sin()
    double = torch.cat([angles, angles], -1)[None]
    y, _ = apply_rotary_pos_emb(x, x, double.cos(), double.sin(), unsqueeze_dim=2)
    arrays = {"x": x, "cos": cos, "sin": sin}
    case("rope", arrays, y, layout="half_split")
    y = interleaved(x, sin[None], cos[None])
    case("rope", arrays, y, layout="interleaved")


def shapes() -> None:
    x = randn(2, 5, 6)
    for mode in ("reflect", "replicate", "circular"):
        ours = {"replicate": "edge", "circular": "wrap"}.get(mode, mode)
        y = F.pad(x[None], (2, 1, 1, 3), mode)[0]
        case("pad", {"x": x}, y, pad_width=[[1, 3], [2, 1]], mode=ours)
    case("roll", {"x": x}, torch.roll(x, -2, 1), shift=-2, axis=1)
    case("cumsum", {"x": x}, torch.cumsum(x, 1), axis=1)
    case("norm", {"x": x}, torch.linalg.vector_norm(x, 3, (0, 2)), ord=3, axis=[0, 2])
    case("var", {"x": x}, torch.var(x, 1, correction=1), axis=1, ddof=1)
    ids = torch.randint(0, 5, (2, 3, 6))
    y = torch.gather(x, 1, ids)
    case("take_along_axis", {"x": x, "indices": ids.int()}, y, axis=1)


def arrays_of(cases: Any) -> dict[str, np.ndarray]:
    """All arrays of the cases, by their names in a file."""
    arrays: dict[str, np.ndarray] = {}
    for i, (_, given, outputs) in enumerate(cases):
        named = given | {f"out{j}": y for j, y in enumerate(outputs)}
        named |= {f"slope.{n}": x for n, x in slopes(given, outputs).items()}
        arrays |= {f"{i}.{name}": exact32(x) for name, x in named.items()}
    return arrays


def save(file: Path) -> None:
    """Writes the cases so far."""
    about = {str(i): json.dumps(about) for i, (about, _, _) in enumerate(CASES)}
    save_file(arrays_of(CASES), file, about)
    print(f"{len(CASES)} cases, {file.stat().st_size} bytes")


def make() -> None:
    """All cases, in order."""
    torch.manual_seed(0)
    with torch.no_grad():
        for family in (
            activations,
            norms,
            convolutions,
            pools,
            attention,
            rotary,
            shapes,
        ):
            family()


if __name__ == "__main__":
    make()
    save(FILE)
