"""Findings as text for people, JSON for scripts, annotations for GitHub's workflows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from blox.schema import Diagnostic
from blox.show.printable import printable

_COLOURS = {"error": "red", "warning": "yellow"}


@dataclass(frozen=True, slots=True)
class FileReport:
    """The findings about one model."""

    path: str
    diagnostics: list[Diagnostic]

    def count(self, severity: str) -> int:
        return sum(d.severity == severity for d in self.diagnostics)

    def fine(self, *, strict: bool) -> bool:
        """True without errors, with `strict` without warnings too."""
        return not (self.count("error") or (strict and self.count("warning")))


def as_text(reports: Sequence[FileReport]) -> str:
    """A line a finding, `path: severity code where: message; hint`, and a sum."""
    lines = []
    for report in reports:
        path = printable(report.path)
        for found in report.diagnostics:
            severity = typer.style(found.severity, fg=_COLOURS[found.severity])
            code = typer.style(found.code, bold=True)
            lines.append(f"{path}: {severity} {code} {printable(str(found))}")
        errors, warnings = report.count("error"), report.count("warning")
        if errors or warnings:
            lines.append(
                f"{path}: {_number(errors, 'error')}, {_number(warnings, 'warning')}"
            )
        else:
            lines.append(f"{path}: fine")
    return "\n".join(lines)


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def as_json(reports: Sequence[FileReport]) -> str:
    """ASCII only, so that nothing in it is more than text."""
    import json

    data = {
        "ok": all(r.fine(strict=False) for r in reports),
        "files": [
            {
                "path": r.path,
                "ok": r.fine(strict=False),
                "diagnostics": [
                    {
                        "severity": d.severity,
                        "code": d.code,
                        "path": d.path,
                        "message": d.message,
                        "hint": d.hint,
                    }
                    for d in r.diagnostics
                ],
            }
            for r in reports
        ],
    }
    return json.dumps(data, indent=2)


def as_github(reports: Sequence[FileReport]) -> str:
    """Workflow commands, one a finding; what would end or forge one is escaped."""
    lines = []
    for report in reports:
        file = report.path
        if (Path(file) / "graph.json").is_file():
            file = str(Path(file) / "graph.json")
        for found in report.diagnostics:
            title = _property(f"blox {found.code}")
            text = _data(printable(str(found)))
            lines.append(
                f"::{found.severity} file={_property(file)},title={title}::{text}"
            )
    return "\n".join(lines) or "blox: no findings"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(printable(text)).replace(":", "%3A").replace(",", "%2C")


FORMATS: dict[str, Callable[[Sequence[FileReport]], str]] = {
    "text": as_text,
    "json": as_json,
    "github": as_github,
}
