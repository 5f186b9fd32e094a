"""What a node may wish of its parameters: how they start, on which axes they lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from blox.schema.parameters import (
    Constant,
    DeltaOrthogonal,
    Normal,
    Ones,
    Orthogonal,
    TruncatedNormal,
    Uniform,
    VarianceScaling,
    Zeros,
)

Init: TypeAlias = (
    Zeros
    | Ones
    | Constant
    | Normal
    | TruncatedNormal
    | Uniform
    | VarianceScaling
    | Orthogonal
    | DeltaOrthogonal
    | dict[str, Any]
)
"""An initialiser, or its dict: `{"name": "normal", "stddev": 0.02}`."""

Axes: TypeAlias = Sequence[str | None]
"""A logical name, or none, for each axis of a parameter."""
