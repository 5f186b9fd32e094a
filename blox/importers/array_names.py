"""The names of a source's arrays, as rules call them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from blox.schema import SpecError
from blox.schema.diagnostics import Diagnostic, bounded, quote

from .trace import Path


def name_of(path: Path) -> str:
    """A path of the source as rules call it, without what means something in a pattern."""
    return ".".join(
        re.sub(r"[{}*]", "_", str(part).replace("/", ".")) or "_" for part in path
    )


def by_name(arrays: Iterable[tuple[Path, Any]]) -> dict[str, Any]:
    """Arrays by the names of their paths.

    Raises:
        SpecError: two have one name.
    """
    rows = [(name_of(path), array) for path, array in arrays]
    counts = Counter(name for name, _ in rows)
    faults = (
        Diagnostic(
            "import-model",
            quote(name),
            f"expected one array of this name, found {count}",
            "a dot or a slash in a key makes a name that another path has: rename it",
        )
        for name, count in counts.items()
        if count > 1
    )
    if listed := bounded(faults):
        raise SpecError(listed)
    return dict(rows)
