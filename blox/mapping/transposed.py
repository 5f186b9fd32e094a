"""How the kernels of transposed convolutions lie in other libraries.

Axes alone don't tell: some libraries read a kernel in reverse along its spatial axes, which
`flip_kernel` of the op says.
"""

from __future__ import annotations

from .layouts import Kernel, Rearrange
from .spec import Layout

FLIPPED = {"torch": True, "equinox": False, "linen": False, "nnx": False}
"""What `flip_kernel` has to be, by library; of others nothing is known."""


def kernel_layouts(of: str, spatial: int, groups: int) -> tuple[Layout, ...]:
    """From the kernel of a library in `FLIPPED` to ours, (spatial..., in / groups, out).

    Args:
        of: the library. PyTorch has (in, out / groups, spatial...), Equinox (out, in /
            groups, spatial...).
        spatial: how many spatial axes there are.
        groups: of the convolution.
    """
    if of == "equinox":
        return (Kernel(),)
    if of != "torch":
        return ()
    axes = " ".join("abc"[:spatial])
    if groups == 1:
        return (Rearrange(f"i o {axes} -> {axes} i o"),)
    return (Rearrange(f"(g i) o {axes} -> {axes} i (g o)", g=groups),)
