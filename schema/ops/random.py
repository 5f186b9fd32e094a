"""Randomness: keys are values, and every key of a model comes from JAX's fold_in."""

from __future__ import annotations

from typing import ClassVar, Literal

from ..fields import Float, Int, OptionalKey, Tensor
from ..op import Op, ParamOp
from ..parameters import KeyData, Leaf, Zeros


class Rng(ParamOp):
    """A key per call, `fold_in(key, count)`; absent when not training.

    Owns key data (uint32, of the implementation threefry2x32) and a counter, which are
    state. Seed it with `jax.random.key_data(jax.random.key(seed))`.
    """

    OUTPUT_KIND: ClassVar[str] = "key"
    TRAIN: ClassVar[bool] = True
    STATEFUL: ClassVar[bool] = True

    op: Literal["rng"] = "rng"

    def parameters(self) -> dict[str, Leaf]:
        return {
            "key_data": Leaf((2,), KeyData(), dtype="uint32", kind="state"),
            "count": Leaf((), Zeros(), dtype="uint32", kind="state"),
        }


class Dropout(Op):
    """Zeroes elements with probability `rate` and scales the rest by 1 / (1 - rate).

    (...) -> (...). Without a key it is the identity. One decision is shared along each
    of `broadcast_dims`. Srivastava et al., JMLR 15, 2014.
    """

    op: Literal["dropout"] = "dropout"
    x: Tensor
    key: OptionalKey = None
    rate: Float
    broadcast_dims: list[Int] = []
