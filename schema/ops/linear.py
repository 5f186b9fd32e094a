"""Linear maps and embeddings."""

from __future__ import annotations

from typing import Literal

from ..fields import ParamSlot, Size, Tensor
from ..op import ParamOp
from ..parameters import EMBEDDING, LECUN_NORMAL, Leaf, Zeros


class Linear(ParamOp):
    """A linear map of the last axis, `y = x @ kernel + bias`.

    (..., in_features) -> (..., out_features); kernel (in_features, out_features).
    """

    op: Literal["linear"] = "linear"
    x: Tensor
    kernel: ParamSlot = None
    bias: ParamSlot = None
    in_features: Size | None = None
    out_features: Size | None = None
    use_bias: bool = True

    def parameters(self) -> dict[str, Leaf]:
        shape = (self.in_features, self.out_features)
        leaves = {"kernel": Leaf(shape, LECUN_NORMAL)}
        if self.use_bias:
            leaves["bias"] = Leaf((self.out_features,), Zeros())
        return leaves


class Embed(ParamOp):
    """Rows of a table, `y[i] = embedding[ids[i]]`.

    ids (...) integer -> (..., features); embedding (num_embeddings, features). An index
    out of range is clamped, as `jnp.take(mode="clip")` does.
    """

    op: Literal["embed"] = "embed"
    ids: Tensor
    embedding: ParamSlot = None
    num_embeddings: Size | None = None
    features: Size | None = None

    def parameters(self) -> dict[str, Leaf]:
        return {"embedding": Leaf((self.num_embeddings, self.features), EMBEDDING)}


class Unembed(ParamOp):
    """Scores against the rows of a table, `y = x @ embedding.T`: a tied output head.

    (..., features) -> (..., num_embeddings).
    """

    op: Literal["unembed"] = "unembed"
    x: Tensor
    embedding: ParamSlot = None
    num_embeddings: Size | None = None
    features: Size | None = None

    def parameters(self) -> dict[str, Leaf]:
        return {"embedding": Leaf((self.num_embeddings, self.features), EMBEDDING)}
