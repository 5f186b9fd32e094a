"""Linear maps and embeddings, and what else has a kernel of its own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from ..deferred import ParamOp
from ..diagnostics import quote
from ..fields import Elsewhere, Float, OptionalSize, ParamSlot, Size, SizeOf, Tensor
from ..initializers import EMBEDDING, LECUN_NORMAL, ZEROS, Constant, VarianceScaling
from ..parameters import Leaf
from ..problems import Problem

_EQUATION = re.compile(r"(\.\.\.)?[A-Za-z]*,[A-Za-z]{1,32}->(?(1)\.\.\.)[A-Za-z]*")


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

    def channels(self) -> dict[str, tuple[int, ...]]:
        return {"kernel": (-1,)}


class EinsumLinear(ParamOp):
    """A linear map over any axes, `y = einsum(equation, x, kernel) + bias`.

    `equation` has a letter for each axis: `...d,dhk->...hk` maps the last axis to two,
    `...hk,hkd->...d` two to one, `...gd,gdf->...gf` each group by a kernel of its own.
    kernel is of the sizes `kernel_shape`; bias has the last axes of y that are axes of the
    kernel too. The kernel starts as that of `linear`: its axes that are only in x are inputs,
    those that are only in y are outputs, those that are in both count for nothing.
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ()
    ALSO: ClassVar[tuple[str, ...]] = (
        "linear_general",
        "dense_general",
        "einsum_dense",
    )

    op: Literal["einsum_linear"] = "einsum_linear"
    x: Tensor
    kernel: ParamSlot = None
    bias: ParamSlot = None
    equation: str
    kernel_shape: list[Size]
    use_bias: bool = True

    def parameters(self) -> dict[str, Leaf]:
        mine, sizes = self._terms()[1], self.kernel_shape
        leaves = {"kernel": Leaf(tuple(sizes), self._start())}
        if self.use_bias:
            kept = [sizes[mine.index(letter)] for letter in self._bias_letters()]
            leaves["bias"] = Leaf(tuple(kept if mine else sizes), ZEROS)
        return leaves

    def channels(self) -> dict[str, tuple[int, ...]]:
        _, kernel, y = self._terms()
        return {"kernel": tuple(i for i, letter in enumerate(kernel) if letter in y)}

    def problems(self) -> Iterator[Problem]:
        if not _EQUATION.fullmatch(self.equation.replace(" ", "")):
            wanted = "expected two terms and what they give, as in `...d,dhk->...hk`"
            yield Problem("equation", wanted)
            return
        terms = self._terms()
        counts = Counter("".join(terms))
        once = sorted(letter for letter in counts if counts[letter] == 1)
        if any(len(set(term)) < len(term) for term in terms):
            yield Problem("equation", "expected each letter once in a term")
        elif once:
            wanted = f"expected {quote(once[0])} in two of its three terms"
            yield Problem("equation", wanted)
        elif len(terms[1]) != len(self.kernel_shape):
            wanted = f"{len(terms[1])}, one for each axis of the kernel"
            yield Problem.expected("kernel_shape", wanted, len(self.kernel_shape))
        elif self.use_bias and not self._bias_letters():
            wanted = "false, as the last axis of y is none of the kernel's"
            yield Problem.expected("use_bias", wanted, True)

    def _terms(self) -> tuple[str, str, str]:
        """The letters of x, of the kernel and of y."""
        terms, _, y = self.equation.replace(" ", "").replace("...", "").partition("->")
        x, _, kernel = terms.partition(",")
        return x, kernel, y

    def _bias_letters(self) -> str:
        _, kernel, y = self._terms()
        return y[len(y.rstrip(kernel)) :]

    def _start(self) -> VarianceScaling:
        x, kernel, y = self._terms()
        axes: dict[tuple[bool, bool], list[int]] = {}
        for axis, letter in enumerate(kernel):
            axes.setdefault((letter in x, letter in y), []).append(axis)
        if not kernel or axes == {(True, False): [0], (False, True): [1]}:
            return LECUN_NORMAL
        return LECUN_NORMAL.model_copy(
            update={
                "in_axis": axes.get((True, False), []),
                "out_axis": axes.get((False, True), []),
                "batch_axis": axes.get((True, True), []),
            }
        )


class Embed(ParamOp):
    """Rows of a table, `y[i] = embedding[ids[i]]`.

    ids (...) integer -> (..., features); embedding (num_embeddings, features). An index
    out of range is clamped, one below 0 to 0 (`clip`), or gives NaN, -1 being the last row
    (`fill`). `jnp.take`.
    """

    ALSO: ClassVar[tuple[str, ...]] = ("embedding", "embedding_lookup")

    op: Literal["embed"] = "embed"
    ids: Tensor
    embedding: Annotated[ParamSlot, Elsewhere("weight")] = None
    num_embeddings: OptionalSize = None
    features: Annotated[OptionalSize, SizeOf("out")] = None
    mode: Literal["clip", "fill"] = "clip"

    def parameters(self) -> dict[str, Leaf]:
        return {"embedding": Leaf((self.num_embeddings, self.features), EMBEDDING)}

    def channels(self) -> dict[str, tuple[int, ...]]:
        return {"embedding": (0,)}


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

    def channels(self) -> dict[str, tuple[int, ...]]:
        return {"embedding": (0,)}


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

    def channels(self) -> dict[str, tuple[int, ...]]:
        return {"kernel": (-1,)}


class Lora(ParamOp):
    """A linear map and a change of low rank, `y + (x @ a) @ b * (alpha / rank)`.

    y (..., out_features), what the map gives for x (..., in_features) ->
    (..., out_features); a (in_features, rank), b (rank, out_features), which starts
    with zeros. The kernel of both in one is `kernel + a @ b * (alpha / rank)`. Hu et
    al., arXiv:2106.09685.
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ("y",)
    ALSO: ClassVar[tuple[str, ...]] = ("low_rank_adapter", "lora_linear", "lora_param")
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
