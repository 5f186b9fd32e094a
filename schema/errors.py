"""Diagnostics and errors: what was expected, what was found, where, what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["error", "warning"]


def quote(value: Any, limit: int = 60) -> str:
    """`value` as ASCII on one line, shortened: text of a stranger's file, made inert."""
    text = ascii(value if len(str(value)) <= 4 * limit else str(value)[: 4 * limit])
    return text if len(text) <= limit else text[: limit - 3] + "..."


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

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        return where + self.message + (f"; {self.hint}" if self.hint else "")


@dataclass
class Report:
    """The diagnostics of one validation, in the order of the file."""

    diagnostics: list[Diagnostic] = field(default_factory=list)

    @property
    def errors(self) -> list[Diagnostic]:
        return [d for d in self.diagnostics if d.severity == "error"]

    @property
    def ok(self) -> bool:
        """True without errors; warnings are allowed."""
        return not self.errors

    def __bool__(self) -> bool:
        return self.ok

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(self.diagnostics)

    def __str__(self) -> str:
        return "\n".join(f"{d.severity} {d.code} {d}" for d in self.diagnostics)

    def error(self, code: str, path: str, message: str, hint: str = "") -> None:
        self.diagnostics.append(Diagnostic(code, path, message, hint))

    def warn(self, code: str, path: str, message: str, hint: str = "") -> None:
        self.diagnostics.append(Diagnostic(code, path, message, hint, "warning"))


class BloxError(ValueError):
    """The root of blox's errors; `diagnostics` holds every finding, one line each."""

    def __init__(self, diagnostics: Iterable[Diagnostic] | Diagnostic) -> None:
        found = (diagnostics,) if isinstance(diagnostics, Diagnostic) else diagnostics
        self.diagnostics = tuple(found)
        super().__init__("\n".join(str(d) for d in self.diagnostics))

    @classmethod
    def one(cls, code: str, path: str, message: str, hint: str = "") -> BloxError:
        return cls(Diagnostic(code, path, message, hint))


class SpecError(BloxError):
    """The Graph, or the file that holds it, is not valid."""


class WeightsError(BloxError):
    """Weight files and Graph do not fit, or a weight file is not sound."""


class ModelError(BloxError):
    """A model can't be built, or was called with inputs that it does not take."""
