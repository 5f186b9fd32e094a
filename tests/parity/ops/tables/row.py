"""A row of a table: a call of an op, and the same by a peer, which takes our layouts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, Literal, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import torch

Peer: TypeAlias = Literal["torch", "flax", "equinox", "numpy", "scipy"]
Found: TypeAlias = tuple[list[np.ndarray], dict[str, np.ndarray]]


@dataclass(frozen=True)
class Row:
    """A call of an op, and what gives the reference.

    Args:
        op: its name.
        attributes: as a file has them.
        arrays: operands and parameters by name, in float32 and our layout.
        reference: of the same arrays by name, in float64: tensors, arrays of JAX or of
            NumPy. It gives one output or a tuple, in our layout.
        by: whose function that is.
        near: how near the numbers are, as a share of the largest.
        slopes: gradients are compared, where the peer has some.
        train: of ops that know training.
    """

    op: str
    attributes: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]
    reference: Callable[..., Any]
    by: Peer = "torch"
    near: float = 1e-5
    slopes: bool = True
    train: bool = True


Rows: TypeAlias = Iterator[Row]


@dataclass
class Numbers:
    """Draws what rows are given."""

    seed: int
    random: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)

    def __call__(self, *shape: int) -> np.ndarray:
        return self.random.normal(size=shape).astype(np.float32)

    def ints(self, high: int, *shape: int) -> np.ndarray:
        return self.random.integers(0, high, shape).astype(np.int32)


def each(value: Any, n: int) -> list[Any]:
    """The attribute as a list of one value an axis."""
    return list(value) if isinstance(value, (list, tuple)) else [value] * n


def pairs(pads: Sequence[int]) -> list[list[int]]:
    """Padding of as many elements before as after."""
    return [[p, p] for p in pads]


def first(x: Any, spatial: int) -> Any:
    """Channels last to channels first, of a tensor or an array."""
    move = x.movedim if isinstance(x, torch.Tensor) else lambda *a: jnp.moveaxis(x, *a)
    return move(-1, -spatial - 1)


def last(x: Any, spatial: int) -> Any:
    move = x.movedim if isinstance(x, torch.Tensor) else lambda *a: jnp.moveaxis(x, *a)
    return move(-spatial - 1, -1)


def is_float(x: Any) -> bool:
    return bool(np.issubdtype(np.asarray(x).dtype, np.floating))


def theirs(row: Row) -> Found:
    """Outputs of the peer in float64, and gradients of their sum times cosines."""
    if row.by in ("numpy", "scipy"):
        wide = {n: x.astype(float) if is_float(x) else x for n, x in row.arrays.items()}
        return [np.asarray(y) for y in listed(row.reference(**wide))], {}
    return by_torch(row) if row.by == "torch" else by_jax(row)


def listed(outputs: Any) -> list[Any]:
    return list(outputs) if isinstance(outputs, (tuple, list)) else [outputs]


def by_torch(row: Row) -> Found:
    given = {n: torch.tensor(x) for n, x in row.arrays.items()}
    given = {n: x.double() if x.is_floating_point() else x for n, x in given.items()}
    asked = [n for n, x in given.items() if x.is_floating_point() and row.slopes]
    for name in asked:
        given[name].requires_grad_()
    outputs = listed(row.reference(**given))
    floats = [y for y in outputs if y.is_floating_point() and y.requires_grad]
    parts = [
        (y * torch.arange(y.numel(), dtype=y.dtype).cos().reshape(y.shape)).sum()
        for y in floats
    ]
    slopes = {}
    if asked and parts:
        tensors = [given[n] for n in asked]
        grads = torch.autograd.grad(sum(parts), tensors, allow_unused=True)
        pairs = zip(asked, grads, strict=True)
        slopes = {n: g.detach().numpy() for n, g in pairs if g is not None}
    return [y.detach().numpy() for y in outputs], slopes


def weighted(outputs: Sequence[Any]) -> Any:
    """The sum of the floats times cosines."""
    total = jnp.zeros(())
    for y in outputs:
        if jnp.issubdtype(y.dtype, jnp.floating):
            weights = jnp.cos(jnp.arange(y.size, dtype=y.dtype)).reshape(y.shape)
            total = total + (y * weights).sum()
    return total


QUICK: dict[str, Any] = {
    "xla_backend_optimization_level": 0,
    "xla_llvm_disable_expensive_passes": True,
}
if version("jaxlib").startswith("0.10."):  # as in tests/conftest.py
    QUICK |= {
        "xla_cpu_use_fusion_emitters": False,
        "xla_cpu_parallel_codegen_split_count": 1,
    }


def differentiated(
    function: Callable[..., list[Any]], arrays: Any, slopes: bool
) -> Found:
    """Outputs of a function of arrays by name, and gradients of `weighted`; compiled."""
    floats = {n: x for n, x in arrays.items() if is_float(x) and slopes}

    def loss(floats: Any, rest: Any) -> Any:
        outputs = function(**rest | floats)
        return weighted(outputs), outputs

    both = jax.jit(jax.grad(loss, has_aux=True), compiler_options=QUICK)
    gradients, outputs = both(floats, dict(arrays))
    return (
        [np.asarray(y) for y in outputs],
        {n: np.asarray(g) for n, g in gradients.items()},
    )


def by_jax(row: Row) -> Found:
    with jax.enable_x64(True):
        wide = {n: x.astype(float) if is_float(x) else x for n, x in row.arrays.items()}
        function = lambda **given: listed(row.reference(**given))  # noqa: E731
        return differentiated(function, wide, row.slopes)
