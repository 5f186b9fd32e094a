"""Diagnostics and errors: what was expected, what was found, where, what to do."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal, Self

Severity = Literal["error", "warning"]


MAX_DIAGNOSTICS = 100
"""How many errors, and how many warnings, are reported one by one; the rest is counted."""


def quote(value: Any, limit: int = 60) -> str:
    """`value` as ASCII on one line, shortened: made inert."""
    if isinstance(value, str):
        text = ascii(value[:limit])
        if len(value) <= limit and len(text) <= limit:
            return text
        return text[: limit - 3] + "..."
    if isinstance(value, int) and abs(value) >= 2**63:
        return f"an integer of {value.bit_length()} bits"
    text = " ".join(ascii(value).split())  # that of an array has lines
    return text if len(text) <= limit else text[: limit - 3] + "..."


def cut(text: str, ending: str, limit: int = 120) -> str:
    """`text` shortened, so that it has at most `limit` characters with what ends it."""
    room = limit - len(ending)
    return (text if len(text) <= room else text[: room - 3] + "...") + ending


def path_part(name: str) -> str:
    """A name of a file as a part of a graph path: as it is, if it may be one."""
    return name if re.fullmatch(r"\w{1,64}", name, re.ASCII) else quote(name)


def listing(names: Collection[str], limit: int = 8) -> str:
    """Names that are known to be sound as `a, b, c`, shortened; `none` without any."""
    shown = ", ".join(islice(names, limit))
    if len(names) > limit:
        shown += f" and {len(names) - limit} more"
    return shown or "none"


def bounded(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """The first of many diagnostics, then one that says how many more there are.

    The others are counted without being kept: a file may yield as many as it has bytes.
    """
    rest = iter(diagnostics)
    found = list(islice(rest, MAX_DIAGNOSTICS))
    more = sum(1 for _ in rest)
    return [*found, _more(more)] if more else found


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding: `code` for scripts, the graph `path`, a `message` and a `hint`.

    `message` says what was expected and what was found; `hint` says what to do.
    """

    code: str
    path: str
    message: str
    hint: str = ""
    severity: Severity = "error"

    def __post_init__(self) -> None:
        from .codes import CODES  # here, as a sound file needs none

        row = CODES.get(self.code)
        if row is None or row.severity not in (self.severity, "either"):
            raise ValueError(
                f"expected a row of schema/codes, found the {self.severity} "
                f"{self.code!r}"
            )

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        return where + self.message + (f"; {self.hint}" if self.hint else "")


def _more(count: int) -> Diagnostic:
    return Diagnostic("more", "", f"and {count} more")


@dataclass
class Report:
    """The diagnostics of one validation, in the order of the file, each once."""

    diagnostics: list[Diagnostic] = field(default_factory=list)
    _seen: dict[Diagnostic, None] = field(default_factory=dict, repr=False)
    _counts: dict[Severity, int] = field(default_factory=dict, repr=False)

    @property
    def errors(self) -> list[Diagnostic]:
        found = [d for d in self.diagnostics if d.severity == "error"]
        dropped = self._counts.get("error", 0) - MAX_DIAGNOSTICS
        return [*found, _more(dropped)] if dropped > 0 else found

    @property
    def ok(self) -> bool:
        """True without errors; warnings are allowed."""
        return not self.errors

    def __bool__(self) -> bool:
        return self.ok

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(self.diagnostics)

    def __str__(self) -> str:
        lines = (f"{d.severity} {d.code} {d}" for d in self.diagnostics)
        return "\n".join(lines) or "fine"

    def copy(self) -> Report:
        """The same diagnostics, to which more may be added."""
        return Report(list(self.diagnostics), dict(self._seen), dict(self._counts))

    def error(self, code: str, path: str, message: str, hint: str = "") -> None:
        self.add(Diagnostic(code, path, message, hint))

    def warn(self, code: str, path: str, message: str, hint: str = "") -> None:
        self.add(Diagnostic(code, path, message, hint, "warning"))

    def extend(self, diagnostics: Iterable[Diagnostic]) -> None:
        for found in diagnostics:
            self.add(found)

    def add(self, found: Diagnostic) -> None:
        if found in self._seen:
            return
        count = self._counts.get(found.severity, 0) + 1
        self._counts[found.severity] = count
        if count <= MAX_DIAGNOSTICS:
            self._seen[found] = None
            self.diagnostics.append(found)


class BloxError(ValueError):
    """The root of blox's errors; `diagnostics` holds every finding, one line each."""

    def __init__(self, diagnostics: Iterable[Diagnostic] | Diagnostic) -> None:
        found = (diagnostics,) if isinstance(diagnostics, Diagnostic) else diagnostics
        self.diagnostics = tuple(found)
        super().__init__("\n".join(str(d) for d in self.diagnostics))

    @classmethod
    def one(cls, code: str, path: str, message: str, hint: str = "") -> Self:
        return cls(Diagnostic(code, path, message, hint))


class SpecError(BloxError):
    """The Graph, or the file that holds it, is not valid."""


class WeightsError(BloxError):
    """Weight files and Graph do not fit, or a weight file is not sound."""


class ModelError(BloxError):
    """A model can't be built, or was called with inputs that it does not take."""
