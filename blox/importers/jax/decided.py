"""What Python decides while a model is traced: comparisons of sizes, and flags."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from jax import export

from .files import is_own
from .internals import SYMBOLIC_ERRORS, comparisons, is_symbol, terms_of
from .trace import Bounds

FLAGS = frozenset(
    {
        "train",
        "training",
        "is_training",
        "deterministic",
        "inference",
        "use_running_average",
        "decode",
    }
)
"""Arguments and settings by which code chooses what it does."""


@dataclass
class Decisions:
    """What was decided in one trace.

    Args:
        dims: what bounds sizes.
        lines: what to tell, each once.
        undecided: the last comparison that nothing decides: the size that was compared with
            0, and the line.
    """

    dims: Bounds
    lines: dict[str, None] = field(default_factory=dict)
    undecided: tuple[Any, str] | None = None
    _busy: bool = False

    def seen(self, left: Any, kind: str, right: Any, found: bool | None) -> None:
        """A comparison, as `internals.comparisons` tells of it."""
        if self._busy:
            return
        self._busy = True
        try:
            self._seen(left, kind, right, found)
        finally:
            self._busy = False

    def _seen(self, left: Any, kind: str, right: Any, found: bool | None) -> None:
        frame = _caller()
        own = frame is not None and is_own(frame.f_code.co_filename)
        if kind == ">=" and found is None:
            self.undecided = left - right, _line(frame)
        elif own and kind == "!=":
            if not self._is_positive(left):
                self.undecided = left - 1, _line(frame)
                raise SYMBOLIC_ERRORS[0](f"Whether '{left}' is 0 is inconclusive")
        elif own and found is not None:
            self._conclusive(left, kind, right, found, _line(frame))

    def _is_positive(self, size: Any) -> bool:
        try:
            return bool(size >= 1)
        except SYMBOLIC_ERRORS:
            return False

    def _conclusive(
        self, left: Any, kind: str, right: Any, found: bool, line: str
    ) -> None:
        """Tells of what does not hold for all sizes."""
        gap = left - right
        if not is_symbol(gap) or (_freely(gap, kind) is not None):
            return
        said = f"{left} {kind} {right}"
        if not is_symbol(left):
            said = f"{right} {'<=' if kind == '>=' else kind} {left}"
        bounds = [
            f"{name} has {', '.join(f'{k} {v}' for k, v in bound.items())}"
            for name, bound in self.dims.items()
            if bound and name in _names(gap)
        ]
        why = f", as {' and '.join(bounds)}" if bounds else ""
        self.lines[f"{line}: {said} is taken as {found}{why}"] = None

    def flag(self, owner: str, name: str, value: object, line: str = "") -> None:
        """A flag that chooses what code does."""
        where = f"{line}: " if line else ""
        self.lines[f"{where}{owner} with {name}={value}"] = None


_ACTIVE: list[Decisions] = []


@contextmanager
def deciding(dims: Bounds) -> Iterator[Decisions]:
    """Collects what is decided, while it lasts."""
    made = Decisions(dims)
    _ACTIVE.append(made)
    try:
        with comparisons(made.seen):
            yield made
    finally:
        _ACTIVE.pop()


def flags(owner: str, found: Mapping[str, object], line: str = "") -> None:
    """Tells of the flags among arguments or settings."""
    for name, value in found.items():
        if _ACTIVE and name in FLAGS and isinstance(value, bool):
            _ACTIVE[-1].flag(owner, name, value, line)


def bound_of(size: Any, hint: int) -> tuple[str, dict[str, int]] | None:
    """What decides whether a size is at least 0 as it is for this size of its dim; None
    where that is no bound of one dim."""
    terms = dict(terms_of(size))
    constant = terms.pop(1, 0)
    if len(terms) != 1:
        return None
    ((term, count),) = terms.items()
    text = str(term)
    if text.isidentifier():
        if count * hint + constant >= 0:
            ends = (
                {"min": -(constant // count)}
                if count > 0
                else {"max": constant // -count}
            )
        elif count > 0:
            ends = {"max": (-constant - 1) // count}
        else:
            ends = {"min": constant // -count + 1}
        return text, ends
    return _multiple(text)


def _multiple(text: str) -> tuple[str, dict[str, int]] | None:
    """`mod(n, 4)`: n is to be a multiple of 4."""
    inner, _, number = text.removeprefix("mod(").removesuffix(")").rpartition(", ")
    name = inner.removeprefix("-1*").removeprefix("- ").removeprefix("-")
    if text.startswith("mod(") and name.isidentifier() and number.isdecimal():
        return name, {"multiple_of": int(number)}
    return None


def _freely(gap: Any, kind: str) -> bool | None:
    """What holds of a difference for all sizes; None where it depends."""
    try:
        (free,) = export.symbolic_shape(str(gap))
        if kind == ">=":
            return bool(free >= 0)
        return False if _is_apart(free) else None
    except (ValueError, *SYMBOLIC_ERRORS):
        return None


def _is_apart(free: Any) -> bool:
    """True where it is 0 for no size."""
    for side in (free, -free):
        try:
            if side >= 1:
                return True
        except SYMBOLIC_ERRORS:
            continue
    return False


def _names(size: Any) -> Sequence[str]:
    return sorted(size._get_vars())


def placed(file: str, line: int) -> str:
    """A line, by the file without its folder."""
    return f"{Path(file).name}:{line}"


def _caller() -> FrameType | None:
    """The frame that compares, behind those that tell of it and JAX's own of symbols."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_code.co_filename.endswith(
        ("decided.py", "internals.py", "shape_poly.py")
    ):
        frame = frame.f_back
    return frame


def _line(frame: FrameType | None) -> str:
    """The innermost line of the model's own files."""
    while frame is not None and not is_own(frame.f_code.co_filename):
        frame = frame.f_back
    return placed(frame.f_code.co_filename, frame.f_lineno) if frame else ""
