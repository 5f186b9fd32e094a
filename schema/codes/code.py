"""One kind of finding, as the registry of codes has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Code:
    """One kind of finding. `either` is an error or a warning, by where it is found."""

    name: str
    meaning: str
    example: str
    severity: Literal["error", "warning", "either"] = "error"
