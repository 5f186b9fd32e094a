"""Writes torch_spectra.safetensors: complex numbers and Fourier transforms as in PyTorch.

    python tests/parity/ops/torch_spectra.py     (extra `parity`)

As torch_reference.py, with gradients, which are the conjugates of those of JAX where
they are complex.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import torch
from torch import Tensor
from torch_reference import FILE as REFERENCE
from torch_reference import case, randn, save

FILE = REFERENCE.with_name("torch_spectra.safetensors")
NORMS = ("backward", "ortho", "forward")
ELEMENTARY = (
    "exp", "expm1", "log", "log1p", "sqrt", "rsqrt", "square", "sin", "cos", "tan", "asin",
    "acos", "atan", "sinh", "cosh", "tanh", "asinh", "atanh", "reciprocal",
    "sigmoid", "abs", "angle", "real", "conj", "log2", "log10", "exp2",
)  # fmt: skip


def leaf(*shape: int) -> Tensor:
    return randn(*shape).requires_grad_()


def pairs(*shape: int) -> Tensor:
    """Complex numbers that complex64 holds."""
    return torch.complex(randn(*shape), randn(*shape)).requires_grad_()


def parts() -> None:
    for name in ELEMENTARY:
        x = pairs(6)
        case(name, {"x": x}, getattr(torch, name)(x))
    x = pairs(6)
    case("imag", {"x": x}, x.imag)
    real, imag = leaf(2, 3), leaf(2, 3)
    case("complex", {"real": real, "imag": imag}, torch.complex(real, imag))
    for name in ("multiply", "divide", "power", "add", "subtract"):
        a, b = pairs(6), pairs(6)
        y = torch.pow(a, b) if name == "power" else getattr(torch, name)(a, b)
        case(name, {"a": a, "b": b}, y)
        real = leaf(6)
        y = getattr(torch, "pow" if name == "power" else name)(a, real)
        case(name, {"a": a, "b": real}, y)
    a, b = pairs(2, 3, 4), pairs(4, 2)
    case("matmul", {"a": a, "b": b}, a @ b)
    a, b = pairs(3, 3), pairs(3, 2)
    case("solve", {"a": a, "b": b}, torch.linalg.solve(a, b))
    a, b = pairs(2, 4), pairs(2, 4)
    case("vecdot", {"a": a, "b": b}, torch.linalg.vecdot(a, b))


def transforms() -> None:
    for name, norm in product(("fft", "ifft", "irfft", "hfft"), NORMS):
        for more in ({}, {"n": 8}, {"n": 5, "dim": 0}):
            transform(name, pairs(6, 6), norm, more)
    for name, norm in product(("fft", "ifft", "rfft", "ihfft"), NORMS):
        for more in ({}, {"n": 8}, {"n": 5, "dim": 0}):
            transform(name, leaf(6, 6), norm, more)


def transform(name: str, x: Tensor, norm: str, more: dict[str, int]) -> None:
    y = getattr(torch.fft, name)(x, norm=norm, **more)
    about = {"n": more.get("n"), "axis": more.get("dim", -1), "norm": norm}
    case(name, {"x": x}, y, **about)


def spaces() -> None:
    kinds: list[tuple[list[int] | None, list[int]]] = [
        (None, [-2, -1]),
        ([5, 4], [-2, -1]),
        ([4, 3], [-3, -1]),
    ]
    for name, norm, (s, axis) in product(
        ("fft", "ifft", "irfft", "rfft"), NORMS, kinds
    ):
        x = leaf(3, 4, 6) if name == "rfft" else pairs(3, 4, 6)
        y = getattr(torch.fft, f"{name}n")(x, s, axis, norm)
        case(f"{name}n", {"x": x}, y, s=s, axis=axis, norm=norm)
        if axis == [-2, -1]:
            x = x.detach().requires_grad_()
            y = getattr(torch.fft, f"{name}2")(x, s, axis, norm)
            case(f"{name}2", {"x": x}, y, s=s, norm=norm)


def short_times() -> None:
    for n_fft, hop, size, center, normalized in (
        (8, 2, 8, True, False),
        (8, 3, 6, True, True),
        (7, 2, 7, False, False),
        (9, 3, 9, True, False),
    ):
        window = (torch.hann_window(size) + 0.25).detach().requires_grad_()
        more: dict[str, Any] = {"center": center, "normalized": normalized}
        for mode, ours in (
            ("reflect", "reflect"),
            ("constant", "constant"),
            ("replicate", "edge"),
        ):
            x = leaf(2, 23)
            y = torch.stft(
                x, n_fft, hop, size, window, pad_mode=mode, return_complex=True, **more
            )  # fmt: skip
            given = {"x": x, "window": window}
            about = {"n_fft": n_fft, "hop": hop, **more, "pad_mode": ours}
            case("stft", given, y.mT, **about)
        for length in (None, 11):
            y = pairs(2, 7, n_fft // 2 + 1)
            x = torch.istft(y.mT, n_fft, hop, size, window, length=length, **more)
            given = {"x": y, "window": window}
            case("istft", given, x, n_fft=n_fft, hop=hop, **more, length=length)
    window = torch.hann_window(8).requires_grad_()
    x = pairs(2, 23)
    y = torch.stft(x, 8, 2, 8, window, onesided=False, return_complex=True)
    case("stft", {"x": x, "window": window}, y.mT, n_fft=8, hop=2, onesided=False)


def make() -> None:
    """All cases, in order."""
    torch.manual_seed(11)
    for family in (parts, transforms, spaces, short_times):
        family()


if __name__ == "__main__":
    make()
    save(FILE)
