"""Rows of the ops of `schema/ops/statistics.py`."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from ops.row import INTS, POSITIVE, Row, Rows, X, reduction, unary

GAPS = np.where(INTS == 1, np.nan, X).astype(np.float32)


def _quantile(method: Any) -> Row:
    how = {"q": 0.6, "axis": -2, "method": method}
    return unary(partial(np.quantile, **how), **how)


ROWS: Rows = {
    "count_nonzero": [
        reduction(np.count_nonzero, INTS),
        Row({}, (X,), reference=lambda x: 12, lead=False),
    ],
    "ptp": reduction(np.ptp),
    "average": [
        Row(
            {"axis": -1},
            (X, POSITIVE),
            reference=lambda x, w: np.average(x, -1, w),
        ),
        Row(
            {"axis": -1, "keepdims": True},
            (X, POSITIVE[0]),
            reference=lambda x, w: np.average(x, -1, w, keepdims=True),
            lead=(0,),
        ),
    ],
    "median": [
        reduction(np.median),
        reduction(np.median, X[:, :3], keepdims=False),
        Row({"axis": None}, (X,), reference=np.median, lead=False),
    ],
    "quantile": [
        reduction(np.quantile, q=0.3),
        *map(_quantile, ("lower", "higher", "midpoint", "nearest")),
    ],
    "nansum": reduction(np.nansum, GAPS),
    "nanprod": reduction(np.nanprod, GAPS),
    "nanmean": reduction(np.nanmean, GAPS),
    "nanmax": reduction(np.nanmax, GAPS),
    "nanmin": reduction(np.nanmin, GAPS),
    "nanvar": reduction(np.nanvar, GAPS, ddof=1),
    "nanstd": reduction(np.nanstd, GAPS),
    "nanmedian": reduction(np.nanmedian, GAPS),
    "nanquantile": reduction(np.nanquantile, GAPS, q=0.3),
    "nanargmax": [
        reduction(np.nanargmax, GAPS),
        Row(
            {},
            (np.full((2, 2), np.nan, np.float32),),
            reference=lambda x: -1,
            lead=False,
        ),
    ],
    "nanargmin": reduction(np.nanargmin, GAPS),
    "nancumsum": unary(lambda x: np.nancumsum(x, -1), GAPS, axis=-1),
    "nancumprod": unary(lambda x: np.nancumprod(x, -2), GAPS, axis=-2),
    "cov": [unary(np.cov), unary(lambda x: np.cov(x, ddof=0), ddof=0)],
    "corrcoef": unary(np.corrcoef),
}
