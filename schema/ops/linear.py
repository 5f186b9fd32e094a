"""Linear maps and embeddings."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from ..deferred import ParamOp
from ..fields import Elsewhere, OptionalSize, ParamSlot, SizeOf, Tensor
from ..initializers import EMBEDDING, LECUN_NORMAL, ZEROS
from ..parameters import Leaf


class Linear(ParamOp):
    """A linear map of the last axis, `y = x @ kernel + bias`.

    (..., in_features) -> (..., out_features); kernel (in_features, out_features).
    """

    ALSO: ClassVar[tuple[str, ...]] = ("dense", "fully_connected")

    op: Literal["linear"] = "linear"
    x: Tensor
    kernel: Annotated[ParamSlot, Elsewhere("weight", transposed=True)] = None
    bias: Annotated[ParamSlot, Elsewhere("bias")] = None
    in_features: Annotated[OptionalSize, SizeOf("x")] = None
    out_features: Annotated[OptionalSize, SizeOf("out")] = None
    use_bias: bool = True

    def parameters(self) -> dict[str, Leaf]:
        shape = (self.in_features, self.out_features)
        leaves = {"kernel": Leaf(shape, LECUN_NORMAL)}
        if self.use_bias:
            leaves["bias"] = Leaf((self.out_features,), ZEROS)
        return leaves


class Embed(ParamOp):
    """Rows of a table, `y[i] = embedding[ids[i]]`.

    ids (...) integer -> (..., features); embedding (num_embeddings, features). An index
    out of range is clamped, as `jnp.take(mode="clip")` does.
    """

    ALSO: ClassVar[tuple[str, ...]] = ("embedding", "embedding_lookup")

    op: Literal["embed"] = "embed"
    ids: Tensor
    embedding: Annotated[ParamSlot, Elsewhere("weight")] = None
    num_embeddings: OptionalSize = None
    features: Annotated[OptionalSize, SizeOf("out")] = None

    def parameters(self) -> dict[str, Leaf]:
        return {"embedding": Leaf((self.num_embeddings, self.features), EMBEDDING)}


class Unembed(ParamOp):
    """Scores against the rows of a table, `y = x @ embedding.T`: a tied output head.

    (..., features) -> (..., num_embeddings).
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ()
    ALSO: ClassVar[tuple[str, ...]] = ("attend", "lm_head")

    op: Literal["unembed"] = "unembed"
    x: Tensor
    embedding: Annotated[ParamSlot, Elsewhere("weight")] = None
    num_embeddings: Annotated[OptionalSize, SizeOf("out")] = None
    features: Annotated[OptionalSize, SizeOf("x")] = None

    def parameters(self) -> dict[str, Leaf]:
        return {"embedding": Leaf((self.num_embeddings, self.features), EMBEDDING)}
