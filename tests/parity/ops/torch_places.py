"""Writes torch_places.safetensors: order, gather, scatter and segments as in PyTorch.

    python tests/parity/ops/torch_places.py     (extra `parity`)

As torch_reference.py, with gradients, where indices are repeated too.
"""

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor
from torch_reference import FILE as REFERENCE
from torch_reference import case, randn, save
from transformers.models.t5.modeling_t5 import T5Attention

FILE = REFERENCE.with_name("torch_places.safetensors")
REDUCED = {"add": "sum", "multiply": "prod", "min": "amin", "max": "amax"}


def leaf(*shape: int) -> Tensor:
    return randn(*shape).requires_grad_()


def ints(*values: int) -> Tensor:
    return torch.tensor(values, dtype=torch.int32)


def order() -> None:
    for axis, descending in product((-1, 0), (False, True)):
        x = leaf(4, 5)
        y = torch.sort(x, axis, descending)
        case("sort", {"x": x}, y.values, axis=axis, descending=descending)
        ties = torch.randint(0, 3, (4, 5)).int()
        y = torch.sort(ties, dim=axis, descending=descending, stable=True)
        case("argsort", {"x": ties}, y.indices.int(), axis=axis, descending=descending)
    for axis in (-1, 0):
        x = leaf(4, 5)
        y = torch.topk(x, 3, axis)
        case("top_k", {"x": x}, y.values, y.indices.int(), k=3, axis=axis)


def along() -> None:
    x = leaf(3, 5)
    at = torch.tensor([[0, 4, 4, 1], [2, 2, 2, 2], [3, 0, 3, 1]])
    y = torch.take_along_dim(x, at, 1)
    case("take_along_axis", {"x": x, "indices": at.int()}, y, axis=1)
    for (reduce, name), axis in product(REDUCED.items(), (1, 0)):
        x, values = leaf(3, 5), leaf(3, 4)
        # Equal extremes have equal shares, and a product may have one zero, or two.
        values.data[1] = x.data[1, 2]
        if reduce == "multiply":
            values.data[0, 1], values.data[1, :2] = 0, 0
        given = {"x": x, "indices": at.int(), "values": values}
        y = x.scatter_reduce(1, at, values, name)
        if axis == 0:
            given = {n: a.detach().T.clone() for n, a in given.items()}
            for n in ("x", "values"):
                given[n].requires_grad_()
            y = given["x"].scatter_reduce(0, at.T, given["values"], name)
        case("put_along_axis", given, y, axis=axis, reduce=reduce)


def places() -> None:
    at = torch.tensor([[0, 1], [2, -1], [0, 1], [1, 0]])
    x = leaf(3, 4, 2)
    y = x[at[:, 0], at[:, 1]]
    case("gather_nd", {"x": x, "indices": at.int()}, y)
    for reduce in ("add", "set"):
        used = at if reduce == "add" else at[1:]
        x, updates = leaf(3, 4, 2), leaf(len(used), 2)
        y = x.index_put((used[:, 0], used[:, 1]), updates, accumulate=reduce == "add")
        given = {"x": x, "indices": used.int(), "updates": updates}
        case("scatter_nd", given, y, reduce=reduce)


def segments() -> None:
    ids = torch.tensor([2, 0, 3, 2, 0, 1, 2])
    names = {"sum": "sum", "prod": "prod", "min": "amin", "max": "amax", "mean": "mean"}
    for name, reduce in names.items():
        data = leaf(7, 3)
        data.data[3, :2] = data.data[0, :2]
        if name == "prod":
            data.data[0, 0], data.data[3:5, 1] = 0, 0
        at = ids[:, None].expand(7, 3)
        y = torch.zeros(4, 3).scatter_reduce(0, at, data, reduce, include_self=False)
        given = {"data": data, "segment_ids": ids.int()}
        case(f"segment_{name}", given, y, num_segments=4)
    data = leaf(7, 3)
    y = torch.cat([data[ids == i].softmax(0) for i in range(4)])
    y = y[torch.argsort(torch.argsort(ids, stable=True))]
    given = {"data": data, "segment_ids": ids.int()}
    case("segment_softmax", given, y, num_segments=4)


def biases() -> None:
    queries, keys = torch.arange(0, 400, 31), torch.arange(0, 500, 17)
    for two_sided, (buckets, most) in product((True, False), ((32, 128), (10, 50))):
        table = leaf(buckets, 2)
        rows = T5Attention._relative_position_bucket(
            keys - queries[:, None], two_sided, buckets, most
        )
        given = {
            "query_positions": queries.int(),
            "key_positions": keys.int(),
            "embedding": table,
        }
        case(
            "relative_bias", given, table[rows].permute(2, 0, 1), num_buckets=buckets,
            heads=2, max_distance=most, bidirectional=two_sided,
        )  # fmt: skip


def make() -> None:
    """All cases, in order."""
    torch.manual_seed(4)
    for family in (order, along, places, segments, biases):
        family()


if __name__ == "__main__":
    make()
    save(FILE)
