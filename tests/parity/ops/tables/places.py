"""Order, gather, scatter and segments, where indices are repeated too."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import torch
from parity.ops.tables.row import Numbers, Row, Rows

REDUCED = {"add": "sum", "multiply": "prod", "min": "amin", "max": "amax"}
JOINED = {
    "add": np.add,
    "multiply": np.multiply,
    "min": np.minimum,
    "max": np.maximum,
}


def order() -> Rows:
    numbers = Numbers(70)
    for axis, descending in product((-1, 0, 1), (False, True)):
        given = {"axis": axis, "descending": descending}
        how = (axis, descending)
        x = {"x": numbers(3, 4, 5)}
        yield Row("sort", given, x, lambda x, h=how: torch.sort(x, *h).values)
        for high in (2, 4):  # many ties
            ties = {"x": numbers.ints(high, 3, 6, 9)}

            def stable(x: Any, how: Any = how) -> Any:
                found = torch.sort(x, dim=how[0], descending=how[1], stable=True)
                return found.indices.int()

            yield Row("argsort", given, ties, stable)

            def by_numpy(x: Any, how: Any = how) -> Any:
                keys = -x if how[1] else x
                return np.argsort(keys, how[0], kind="stable")

            yield Row("argsort", given, ties, by_numpy, "numpy")
    for axis, k in product((-1, 0), (1, 3)):

        def top(x: Any, axis: int = axis, k: int = k) -> Any:
            found = torch.topk(x, k, axis)
            return found.values, found.indices.int()

        yield Row("top_k", {"k": k, "axis": axis}, {"x": numbers(4, 5)}, top)


def edges_of_order() -> Rows:
    """NaN is last, -0 and 0 are equal, infinities are at the ends."""
    x = np.array([[np.nan, 1, -np.inf, 0, np.inf, -1, np.nan, 0]], np.float32)
    yield Row("sort", {}, {"x": x}, lambda x: np.sort(x, -1), "numpy")
    stable = lambda x: np.argsort(x, -1, kind="stable")  # noqa: E731
    yield Row("argsort", {}, {"x": x}, stable, "numpy")


def along() -> Rows:
    numbers = Numbers(71)
    for shape, axis in product(((3, 5), (2, 3, 5)), (-1, 0)):
        wide = shape[axis]
        at = numbers.ints(
            wide, *(4 if i == axis % len(shape) else n for i, n in enumerate(shape))
        )
        arrays = {"x": numbers(*shape), "indices": at}

        def taken(x: Any, indices: Any, axis: int = axis) -> Any:
            return torch.take_along_dim(x, indices.long(), axis)

        yield Row("take_along_axis", {"axis": axis}, arrays, taken)
        for reduce in REDUCED:
            values = numbers(*at.shape)
            if reduce == "multiply":
                values[0, 1:2] = 0
            else:
                values[1] = values[0]  # equal extremes

            def put(
                x: Any, indices: Any, values: Any, row: Any = (axis, REDUCED[reduce])
            ) -> Any:
                return x.scatter_reduce(row[0], indices.long(), values, row[1])

            yield Row(
                "put_along_axis",
                {"axis": axis, "reduce": reduce},
                arrays | {"values": values},
                put,
            )


def put_at() -> Rows:
    """The last of repeated updates stays, as in NumPy; beyond the ends by mode."""
    numbers = Numbers(72)
    outside = np.array(
        [[0, 1], [2, 3], [0, 1], [1, 0], [2, 3], [7, 1], [0, -9]], np.int32
    )
    for mode, reduce in product(("drop", "clip"), ("set", *JOINED)):

        def reference(
            x: Any, indices: Any, updates: Any, row: Any = (mode, reduce)
        ) -> Any:
            mode, reduce = row
            y = x.copy()
            sizes = np.array(x.shape[:2])
            for at, update in zip(indices, updates, strict=True):
                at = np.where((at < 0) & (at >= -sizes), at + sizes, at)
                if mode == "clip":
                    at = np.clip(at, 0, sizes - 1)
                elif (at < 0).any() or (at >= sizes).any():
                    continue
                place = tuple(at)
                y[place] = (
                    update if reduce == "set" else JOINED[reduce](y[place], update)
                )
            return y

        x, updates = numbers(3, 4, 2), numbers(7, 2)
        yield Row(
            "scatter_nd",
            {"reduce": reduce, "mode": mode},
            {"x": x, "indices": outside, "updates": updates},
            reference,
            "numpy",
        )

        def by_axes(
            x: Any, indices0: Any, indices1: Any, updates: Any, f: Any = reference
        ) -> Any:
            return f(x, np.stack([indices0, indices1], -1), updates)

        yield Row(
            "scatter",
            {"axis": [0, 1], "reduce": reduce, "mode": mode},
            {
                "x": x, "indices0": outside[:, 0], "indices1": outside[:, 1],
                "updates": updates,
            },
            by_axes,
            "numpy",
        )  # fmt: skip


def put_in_torch() -> Rows:
    """With gradients: sums of repeated updates, and updates of distinct places."""
    numbers = Numbers(73)
    at = np.array([[0, 1], [2, 3], [0, 1], [1, 0]], np.int32)
    for reduce, (shape, tail) in product(
        ("add", "set"), [((3, 4), ()), ((3, 4, 2), (2,))]
    ):
        used = at if reduce == "add" else at[1:]

        def reference(
            x: Any, indices: Any, updates: Any, add: bool = reduce == "add"
        ) -> Any:
            place = tuple(indices.long().unbind(-1))
            return x.index_put(place, updates, accumulate=add)

        arrays = {"x": numbers(*shape), "indices": used}
        arrays["updates"] = numbers(len(used), *tail)
        yield Row("scatter_nd", {"reduce": reduce}, arrays, reference)
    for n in (1, 2, 3):
        x, index = numbers(3, 4, 5), numbers.ints(3, 4, n)

        def gathered(x: Any, indices: Any) -> Any:
            return x[tuple(indices.long().unbind(-1))]

        yield Row("gather_nd", {}, {"x": x, "indices": index}, gathered)


def segments() -> Rows:
    numbers = Numbers(74)
    names = {"sum": "sum", "prod": "prod", "min": "amin", "max": "amax", "mean": "mean"}
    for (name, reduce), ids, tail in product(
        names.items(), ([2, 0, 3, 2, 0, 1, 2], [0, 0, 0, 3, 3, 3, 3]), ((), (3,))
    ):
        data = numbers(7, *tail)
        data[3] = data[0]

        def reference(
            data: Any,
            segment_ids: Any,
            reduce: str = reduce,
            empty: bool = len(set(ids)) < 4,
        ) -> Any:
            at = (
                segment_ids.long()
                .reshape(-1, *[1] * (data.ndim - 1))
                .expand(data.shape)
            )
            start = {"prod": 1.0, "amin": torch.inf, "amax": -torch.inf}.get(
                reduce, 0.0
            )
            y = torch.full((4, *data.shape[1:]), start, dtype=data.dtype)
            if not empty:  # what PyTorch gives for none is its start
                y = torch.zeros_like(y)
            return y.scatter_reduce(0, at, data, reduce, include_self=False)

        arrays = {"data": data, "segment_ids": np.array(ids, np.int32)}
        yield Row(f"segment_{name}", {"num_segments": 4}, arrays, reference)


TABLES = (order, edges_of_order, along, put_at, put_in_torch, segments)
