"""Rows of the ops of `schema/ops/scatter.py`."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
from ops.row import Row, Rows, X, heavy, numbers, rare

normal = numbers(11)
_WIDE = normal(2, 3, 4)
_I = np.array([[0, 2, -1], [2, 0, 0]], np.int32)
_J = np.array([1, 3, 1], np.int32)
_JOINED: dict[str, Callable[..., Any]] = {
    "set": lambda old, new: new,
    "add": lambda old, new: old + new,
    "multiply": lambda old, new: old * new,
    "min": min,
    "max": max,
}


def _written(x: Any, places: Any, updates: Any, reduce: str) -> Any:
    """One update after another; places outside of x are left out."""
    x = x.copy()
    for place, update in zip(places, updates, strict=True):
        if all(-n <= i < n for i, n in zip(place, x.shape, strict=True)):
            x[place] = _JOINED[reduce](x[place], update)
    return x


def _scattered(x: Any, indices: Any, updates: Any, reduce: str) -> Any:
    """On the axes 1 and 2 of x, and all of axis 0."""
    i, j = np.broadcast_arrays(*indices)
    lead = [*np.ndindex(x.shape[0])]
    places = [(*a, i[b], j[b]) for a, b in product(lead, np.ndindex(i.shape))]
    return _written(
        x, places, np.broadcast_to(updates, (len(lead), *i.shape)).ravel(), reduce
    )


def _scatter(reduce: str, i: Any = _I, **more: Any) -> Row:
    return Row(
        {"axis": [-2, -1], "reduce": reduce} | more,
        (_WIDE, [i, _J], normal(2, *i.shape)),
        reference=lambda x, i, u: _scattered(x, i, u, reduce),
        lead=(0, 2),
    )


def _put(reduce: str, indices: Any, **more: Any) -> Row:
    def reference(x: Any, indices: Any, values: Any) -> Any:
        places = [(*at[:-1], indices[at]) for at in np.ndindex(indices.shape)]
        return _written(x, places, values.ravel(), reduce)

    return Row(
        {"axis": -1, "reduce": reduce} | more,
        (X, indices, normal(*indices.shape)),
        reference=reference,
        lead=(0, 1, 2),
    )


def _put_nd(reduce: str, **more: Any) -> Row:
    indices = np.array([[0, 1], [2, -1], [0, 1], [0, 9]], np.int32)
    return Row(
        {"reduce": reduce} | more,
        (X, indices, normal(4)),
        reference=lambda x, i, u: _written(x, map(tuple, i), u, reduce),
        lead=False,
    )


def _segment(
    reduce: Callable[..., Any], nothing: float, data: Any = None, **more: Any
) -> Row:
    """Two rows are in no segment, and two segments have no rows unless `empty` is False."""
    few = more.pop("empty", True)
    ids = np.array([2, 0, 4, 2, -1, 0, 2] if few else [2, 0, 4, 3, -1, 1, 2], np.int32)

    def reference(data: Any, ids: Any) -> Any:
        groups = [
            [y for y, i in zip(data, ids, strict=True) if i == n] for n in range(4)
        ]
        empty = np.full(data.shape[1:], nothing)
        return np.stack([reduce(g, axis=0) if g else empty for g in groups])

    data = normal(7, 3) if data is None else data
    return Row({"num_segments": 4}, (data, ids), reference=reference, **more)


def _softmax(data: Any, ids: Any) -> Any:
    y = np.exp(data)
    total = np.stack([y[ids == i].sum(0) for i in ids])
    return np.where((ids >= 0) & (ids < 4), (y / total).T, 0).T


_ZEROS = np.array([2.0, 0.0, 3.0, 0.0, 4.0, 0.0, -1.5], np.float32)

_REPEATED = np.array([[0, 2, 0, -1, 7], [1, 1, 1, -9, 3], [0, 1, 2, 3, 3]], np.int32)
_ONCE = np.array([[0, 2], [1, 3], [3, -3]], np.int32)

ROWS: Rows = {
    "gather": [
        Row(
            {"axis": [-2, -1]},
            (_WIDE, [_I, _J]),
            reference=lambda x, i: x[:, i[0], i[1]],
            lead=(0,),
        ),
        Row(
            {"axis": [-1, -3], "mode": "fill"},
            (_WIDE, [_J, 1]),
            reference=lambda x, i: x[i[1], :, i[0]],
            lead=(0,),
        ),
        Row(
            {"axis": [1]},
            (X, [np.array([-1, 9, -9])]),
            reference=lambda x, i: x[:, [3, 3, 0]],
            lead=False,
        ),
    ],
    "gather_nd": [
        Row(
            {},
            (X, np.array([[[0, 1], [2, -1]]])),
            reference=lambda x, i: x[i[..., 0], i[..., 1]],
            lead=False,
        ),
        Row(
            {"batch_dims": 1, "mode": "fill"},
            (_WIDE, np.array([[[0], [-1]], [[2], [1]]])),
            reference=lambda x, i: np.stack([x[0, [0, 2]], x[1, [2, 1]]]),
            lead=False,
        ),
    ],
    "scatter": [
        heavy(_scatter("set")),
        _scatter("add"),
        *(rare(_scatter(joined)) for joined in [*_JOINED][2:]),
        rare(_scatter("set", np.array([[0, 1, 2]]), unique_indices=True)),
        Row(
            {"axis": [0], "mode": "clip"},
            (X, [np.array([9, -9, 5])], 0),
            reference=lambda x, i, u: x * [[0], [1], [0]],
            lead=False,
        ),
    ],
    "scatter_nd": [
        heavy(_put_nd("set")),
        _put_nd("min"),
        Row(
            {"batch_dims": 1, "mode": "clip"},
            (_WIDE, np.array([[[9], [-1]], [[1], [-9]]]), _WIDE[:, :2] + 1),
            reference=lambda x, i, u: np.stack(
                [[*x[0, :2], u[0, 1]], [u[1, 1], u[1, 0], x[1, 2]]]
            ),
            lead=False,
        ),
    ],
    "put_along_axis": [
        heavy(_put("set", _REPEATED)),
        _put("add", _REPEATED),
        _put("multiply", _ONCE, unique_indices=True),
    ],
    "segment_sum": _segment(np.sum, 0),
    "segment_mean": _segment(np.mean, 0),
    "segment_max": [
        _segment(np.max, -np.inf, grad=False, integers=False),
        _segment(np.max, 0, empty=False),
    ],
    "segment_min": [
        _segment(np.min, np.inf, grad=False, integers=False),
        _segment(np.min, 0, empty=False),
    ],
    "segment_prod": [heavy(_segment(np.prod, 1)), _segment(np.prod, 1, _ZEROS)],
    "segment_softmax": Row(
        {"num_segments": 4},
        (normal(7, 3), np.array([2, 0, 4, 2, -1, 0, 2], np.int32)),
        reference=_softmax,
        heavy=True,
    ),
}
