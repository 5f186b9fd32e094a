"""Rows of the ops of `schema/ops/special.py`."""

from __future__ import annotations

import numpy as np
from ops.row import POSITIVE, Row, Rows, X, Y, binary, heavy, unary
from scipy import special

PART = (special.expit(X)).astype(np.float32)

ROWS: Rows = {
    "erfcx": unary(special.erfcx, 2 * X),
    "owens_t": binary(special.owens_t, heavy=True),
    "erf_inv": unary(special.erfinv, X / 4),
    "erfc": unary(special.erfc, 2 * X),
    "dawsn": heavy(unary(special.dawsn, 3 * X)),
    "i0": unary(special.i0, 3 * X),
    "i0e": unary(special.i0e, 3 * X),
    "i1": unary(special.i1, 3 * X),
    "i1e": unary(special.i1e, 3 * X),
    "entr": [
        unary(special.entr, POSITIVE),
        Row({}, (X,), reference=special.entr, grad=False),
    ],
    "logit": unary(special.logit, PART),
    "ndtr": unary(special.ndtr, 2 * X),
    "ndtri": heavy(unary(special.ndtri, PART)),
    "log_ndtr": unary(special.log_ndtr, 4 * X),
    "xlogy": [
        binary(special.xlogy, X, POSITIVE),
        binary(special.xlogy, 0 * X, 0 * X, grad=False),
    ],
    "xlog1py": binary(special.xlog1py, X, POSITIVE),
    "boxcox": binary(special.boxcox, POSITIVE, Y),
    "boxcox1p": binary(special.boxcox1p, POSITIVE, Y),
    "rel_entr": binary(special.rel_entr, POSITIVE, POSITIVE[::-1]),
    "kl_div": binary(special.kl_div, POSITIVE, POSITIVE[::-1]),
    "fresnel": heavy(unary(special.fresnel, 2 * X)),
    "sici": heavy(unary(special.sici, 2 * POSITIVE)),
}
