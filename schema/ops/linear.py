"""Linear maps and embeddings, and what else has a kernel of its own."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from ..deferred import ParamOp
from ..fields import Elsewhere, Float, OptionalSize, ParamSlot, Size, SizeOf, Tensor
from ..initializers import EMBEDDING, LECUN_NORMAL, ZEROS, Constant
from ..parameters import Leaf


class Linear(ParamOp):
    """A linear map of the last axis, `y = x @ kernel + bias`.

    (..., in_features) -> (..., out_features); kernel (in_features, out_features).
    """

    ALSO: ClassVar[tuple[str, ...]] = ("dense", "fully_connected")
    COMPLEX: ClassVar[bool] = True

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
    COMPLEX: ClassVar[bool] = True

    op: Literal["unembed"] = "unembed"
    x: Tensor
    embedding: Annotated[ParamSlot, Elsewhere("weight")] = None
    num_embeddings: Annotated[OptionalSize, SizeOf("out")] = None
    features: Annotated[OptionalSize, SizeOf("x")] = None

    def parameters(self) -> dict[str, Leaf]:
        return {"embedding": Leaf((self.num_embeddings, self.features), EMBEDDING)}


class Bilinear(ParamOp):
    """A bilinear map of two arrays, `y[k] = sum(x[i] * other[j] * kernel[i, j, k])`.

    x (..., in_features), other (..., other_features) -> (..., out_features); kernel
    (in_features, other_features, out_features), PyTorch's with the last axis in front;
    then plus bias.
    """

    COMPLEX: ClassVar[bool] = True

    op: Literal["bilinear"] = "bilinear"
    x: Tensor
    other: Tensor
    kernel: ParamSlot = None
    bias: Annotated[ParamSlot, Elsewhere("bias")] = None
    in_features: Annotated[OptionalSize, SizeOf("x")] = None
    other_features: Annotated[OptionalSize, SizeOf("other")] = None
    out_features: Annotated[OptionalSize, SizeOf("out")] = None
    use_bias: bool = True

    def parameters(self) -> dict[str, Leaf]:
        shape = (self.in_features, self.other_features, self.out_features)
        leaves = {"kernel": Leaf(shape, LECUN_NORMAL)}
        if self.use_bias:
            leaves["bias"] = Leaf((self.out_features,), ZEROS)
        return leaves


class Lora(ParamOp):
    """A linear map and a change of low rank, `y + (x @ a) @ b * (alpha / rank)`.

    y (..., out_features), what the map gives for x (..., in_features) ->
    (..., out_features); a (in_features, rank), b (rank, out_features), which starts
    with zeros. The kernel of both in one is `kernel + a @ b * (alpha / rank)`. Hu et
    al., arXiv:2106.09685.
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ("y",)
    ALSO: ClassVar[tuple[str, ...]] = ("low_rank_adapter",)
    COMPLEX: ClassVar[bool] = True

    op: Literal["lora"] = "lora"
    y: Tensor
    x: Tensor
    a: ParamSlot = None
    b: ParamSlot = None
    in_features: Annotated[OptionalSize, SizeOf("x")] = None
    out_features: Annotated[OptionalSize, SizeOf("y"), SizeOf("out")] = None
    rank: Size
    alpha: Float

    def parameters(self) -> dict[str, Leaf]:
        return {
            "a": Leaf((self.in_features, self.rank), LECUN_NORMAL),
            "b": Leaf((self.rank, self.out_features), ZEROS),
        }


class PRelu(ParamOp):
    """`x` where x >= 0, else `slope * x`, with a slope that is trained.

    (..., n) -> (..., n). `features` is 1, one slope for all, or n, one for each feature
    of the last axis. He et al., arXiv:1502.01852.
    """

    ALSO: ClassVar[tuple[str, ...]] = ("parametric_relu",)

    op: Literal["prelu"] = "prelu"
    x: Tensor
    slope: Annotated[ParamSlot, Elsewhere("weight")] = None
    features: Size = 1

    def parameters(self) -> dict[str, Leaf]:
        return {"slope": Leaf((self.features,), Constant(value=0.25))}
