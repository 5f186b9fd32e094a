"""Parameter options of a node: how its parameters start, on which axes they lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from blox.schema.initializers import Initializer

Init: TypeAlias = Initializer | dict[str, Any]
"""An initialiser, or its dict: `{"name": "normal", "stddev": 0.02}`."""

Axes: TypeAlias = Sequence[str | None]
"""A logical name, or none, for each axis of a parameter."""
