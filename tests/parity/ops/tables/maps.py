"""Linear and bilinear maps, embeddings, products by equations."""

from __future__ import annotations

from itertools import product
from typing import Any

import equinox as eqx
import jax
import numpy as np
import torch
import torch.nn.functional as F
from flax import nnx
from parity.ops.tables.row import Numbers, Row, Rows


def linear() -> Rows:
    numbers = Numbers(50)
    sizes = [(4, 5), (1, 3), (7, 1)]
    for (wide, out), bias, lead in product(sizes, (True, False), ((), (3,), (2, 3))):
        arrays = {"x": numbers(*lead, wide), "kernel": numbers(wide, out)}
        arrays |= {"bias": numbers(out)} if bias else {}
        given = {"in_features": wide, "out_features": out, "use_bias": bias}

        def by_torch(x: Any, kernel: Any, bias: Any = None) -> Any:
            return F.linear(x, kernel.T, bias)

        def by_flax(x: Any, kernel: Any, bias: Any = None) -> Any:
            module = nnx.Linear(
                *kernel.shape, use_bias=bias is not None, param_dtype=x.dtype,
                precision="highest", rngs=nnx.Rngs(0),
            )  # fmt: skip
            module.kernel = nnx.Param(kernel)
            if bias is not None:
                module.bias = nnx.Param(bias)
            return module(x)

        def by_equinox(x: Any, kernel: Any, bias: Any = None) -> Any:
            module = eqx.nn.Linear(
                *kernel.shape, use_bias=bias is not None, key=jax.random.key(0)
            )
            module = eqx.tree_at(lambda m: m.weight, module, kernel.T)
            if bias is not None:
                module = eqx.tree_at(lambda m: m.bias, module, bias)
            y = jax.vmap(module)(x.reshape(-1, x.shape[-1]))
            return y.reshape(*x.shape[:-1], -1)

        yield Row("linear", given, arrays, by_torch)
        yield Row("linear", given, arrays, by_flax, "flax")
        yield Row("linear", given, arrays, by_equinox, "equinox")


def bilinear() -> Rows:
    numbers = Numbers(51)
    for (i, j, k), bias, lead in product(
        [(4, 3, 5), (1, 2, 1)], (True, False), ((3,), (2, 3))
    ):
        arrays = {
            "x": numbers(*lead, i),
            "other": numbers(*lead, j),
            "kernel": numbers(i, j, k),
        }
        arrays |= {"bias": numbers(k)} if bias else {}
        given = {
            "in_features": i, "other_features": j, "out_features": k, "use_bias": bias,
        }  # fmt: skip
        yield Row(
            "bilinear",
            given,
            arrays,
            lambda x, other, kernel, bias=None: F.bilinear(
                x, other, kernel.movedim(-1, 0), bias
            ),
        )


def embeddings() -> Rows:
    numbers = Numbers(52)
    given = {"num_embeddings": 5, "features": 3}
    for shape in ((), (4,), (2, 3), (1, 2, 2)):
        arrays = {"ids": numbers.ints(5, *shape), "embedding": numbers(5, 3)}
        yield Row(
            "embed", given, arrays, lambda ids, embedding: F.embedding(ids, embedding)
        )
        yield Row(
            "embed",
            given,
            arrays,
            lambda ids, embedding: nnx_embed(ids, embedding),
            "flax",
        )
    out = np.array([-7, -1, 0, 4, 5, 99], np.int32)
    arrays = {"ids": out, "embedding": numbers(5, 3)}

    def clipped(ids: Any, embedding: Any) -> Any:
        return embedding[ids.clip(0, 4)]

    yield Row("embed", given, arrays, clipped)
    fill = {**given, "mode": "fill"}
    yield Row("embed", fill, arrays, lambda ids, embedding: filled(embedding, ids))
    yield Row("embed", fill, arrays, nnx_embed, "flax")
    x = numbers(5, 3)
    for mode, reference in {
        "clip": lambda x, indices: x[indices.clip(0, 4).long()],
        "wrap": lambda x, indices: x[indices.remainder(5).long()],
        "fill": filled,
    }.items():
        yield Row(
            "take",
            {"axis": 0, "mode": mode},
            {"x": x, "indices": out},
            reference,
        )
    scores = {"x": numbers(2, 3), "embedding": numbers(5, 3)}
    yield Row("unembed", given, scores, lambda x, embedding: F.linear(x, embedding))


def nnx_embed(ids: Any, embedding: Any) -> Any:
    module = nnx.Embed(*embedding.shape, param_dtype=embedding.dtype, rngs=nnx.Rngs(0))
    module.embedding = nnx.Param(embedding)
    return module(ids)


def filled(x: Any, indices: Any) -> Any:
    """NaN where an index is out of range; -1 is the last."""
    n = x.shape[0]
    inside = ((indices >= -n) & (indices < n))[:, None]
    return torch.where(inside, x[indices.remainder(n).long()], torch.nan)


EQUATIONS: list[tuple[str, tuple[tuple[int, ...], ...]]] = [
    ("ij,jk->ik", ((3, 4), (4, 5))),
    ("bij,bjk->bik", ((2, 3, 4), (2, 4, 5))),
    ("...ij,jk->...ik", ((2, 2, 3, 4), (4, 5))),
    ("...qhd,...khd->...hqk", ((2, 3, 2, 4), (2, 5, 2, 4))),
    ("ij->ji", ((3, 4),)),
    ("ij->i", ((3, 4),)),
    ("ij->", ((3, 4),)),
    ("ii->i", ((4, 4),)),
    ("ii->", ((4, 4),)),
    ("i,j->ij", ((3,), (4,))),
    ("i,i->", ((4,), (4,))),
    ("ij,jk,kl->il", ((2, 3), (3, 4), (4, 2))),
    ("bi,ijk,bj->bk", ((2, 3), (3, 4, 5), (2, 4))),
    ("bhwc,hwcd->bd", ((2, 3, 2, 4), (3, 2, 4, 5))),
]


def equations() -> Rows:
    numbers = Numbers(53)
    for equation, shapes in EQUATIONS:
        arrays = {f"xs{i}": numbers(*s) for i, s in enumerate(shapes)}
        yield Row(
            "einsum",
            {"equation": equation},
            arrays,
            lambda e=equation, **xs: torch.einsum(e, *xs.values()),
        )


def small() -> Rows:
    numbers = Numbers(54)
    for features in (1, 5):
        arrays = {"x": numbers(3, 5), "slope": numbers(features)}
        given = {"features": features}
        yield Row("prelu", given, arrays, lambda x, slope: F.prelu(x, slope))
    for rank, alpha in product((1, 3), (1.0, 8.0)):
        arrays = {
            "y": numbers(2, 5), "x": numbers(2, 4), "a": numbers(4, rank),
            "b": numbers(rank, 5),
        }  # fmt: skip

        def adapted(y: Any, x: Any, a: Any, b: Any, by: float = alpha / rank) -> Any:
            return y + by * F.linear(F.linear(x, a.T), b.T)

        sizes: dict[str, Any] = {"in_features": 4, "out_features": 5, "rank": rank}
        yield Row("lora", sizes | {"alpha": alpha}, arrays, adapted)


TABLES = (linear, bilinear, embeddings, equations, small)
