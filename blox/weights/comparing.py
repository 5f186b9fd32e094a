"""Weights against what a Graph expects, from headers alone: all differences at once."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

from blox.schema.diagnostics import Diagnostic, quote

from .dtypes import FLOATING
from .header import TensorInfo
from .reading import Headers

_MAX_HINTS = 20
_MAX_CANDIDATES = 2000
_MAX_LENGTH = 200
"""Near misses cost names times candidates; a stranger must not make that long."""


@dataclass(frozen=True, slots=True)
class LeafSpec:
    """What is expected at a path; the dtype `"float"` means any floating dtype."""

    shape: tuple[int, ...]
    dtype: str

    def admits(self, dtype: str) -> bool:
        return dtype in FLOATING if self.dtype == "float" else dtype == self.dtype


def compare(
    found: Headers | Mapping[str, TensorInfo], expected: Mapping[str, LeafSpec]
) -> list[Diagnostic]:
    """All differences between stored tensors and expected leaves.

    Returns:
        Findings `weights-missing`, `weights-shape` and `weights-dtype` in the order of
        `expected`, then `weights-unexpected`; names that nearly match are in the hints.
    """
    tensors = found.tensors if isinstance(found, Headers) else found
    missing = [path for path in expected if path not in tensors]
    surplus = [path for path in tensors if path not in expected]
    findings: list[Diagnostic] = []
    hints = near_misses(missing, surplus)
    back = near_misses(surplus, missing)
    for path, leaf in expected.items():
        info = tensors.get(path)
        if info is None:
            message = f"expected {leaf.dtype}{list(leaf.shape)}, found no tensor"
            hint = hints.get(path, "")
            findings.append(Diagnostic("weights-missing", _path(path), message, hint))
            continue
        if info.shape != leaf.shape:
            sizes = quote(list(info.shape))
            message = f"expected shape {list(leaf.shape)}, found {sizes}"
            findings.append(Diagnostic("weights-shape", _path(path), message))
        if not leaf.admits(info.dtype):
            message = f"expected dtype {leaf.dtype}, found {info.dtype}"
            findings.append(Diagnostic("weights-dtype", _path(path), message))
    for path in surplus:
        info = tensors[path]
        message = (
            f"expected no tensor here, found {info.dtype}{quote(list(info.shape))}"
        )
        hint = back.get(path, "")
        findings.append(Diagnostic("weights-unexpected", _path(path), message, hint))
    return findings


def near_misses(names: Iterable[str], candidates: Collection[str]) -> dict[str, str]:
    """Hints by name: the candidate nearest to that name, for as many as is cheap."""
    if len(candidates) > _MAX_CANDIDATES:
        return {}
    known = sorted(other for other in candidates if len(other) <= _MAX_LENGTH)
    hints = {}
    for name in islice(names, _MAX_HINTS):
        close = difflib.get_close_matches(name[:_MAX_LENGTH], known, n=1, cutoff=0.75)
        if close:
            hints[name] = f"did you mean {quote(close[0], 100)}?"
    return hints


def _path(path: str) -> str:
    return path if path.isascii() and len(path) <= _MAX_LENGTH else quote(path)
