"""Rows of the ops of `schema/ops/gamma.py`."""

from __future__ import annotations

import numpy as np
from ops.row import INTS, POSITIVE, Row, Rows, X, Y, binary, unary
from scipy import special

OTHER = POSITIVE[::-1].copy()
PART = (special.expit(X)).astype(np.float32)

ROWS: Rows = {
    "gammasgn": Row({}, (3 * X,), reference=special.gammasgn, grad=False),
    "comb": binary(special.comb, 5 + POSITIVE, POSITIVE, heavy=True),
    "gamma": unary(special.gamma, POSITIVE),
    "gammaln": unary(special.gammaln, 3 * POSITIVE),
    "digamma": unary(special.digamma, POSITIVE),
    "factorial": unary(special.factorial, POSITIVE),
    "beta": binary(special.beta, POSITIVE, OTHER, heavy=True),
    "betaln": binary(special.betaln, POSITIVE, OTHER, heavy=True),
    "gammainc": binary(special.gammainc, POSITIVE, OTHER, heavy=True),
    "gammaincc": binary(special.gammaincc, POSITIVE, OTHER, heavy=True),
    "zeta": binary(special.zeta, 1 + POSITIVE, OTHER, grad=False),
    "polygamma": [
        binary(special.polygamma, INTS, POSITIVE, heavy=True),
        Row({}, (1, POSITIVE), reference=special.polygamma, lead=(1,)),
    ],
    "poch": binary(special.poch, POSITIVE, OTHER, heavy=True),
    "betainc": Row(
        {}, (POSITIVE, OTHER, PART), reference=special.betainc, grad=False, heavy=True
    ),
    "hyp1f1": Row({}, (POSITIVE, OTHER, Y), reference=special.hyp1f1, heavy=True),
    "multigammaln": unary(
        lambda x: (
            1.5 * np.log(np.pi) + sum(special.gammaln(x - j / 2) for j in range(3))
        ),
        2 + POSITIVE,
        d=3,
    ),
}
