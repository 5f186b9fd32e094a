"""Errors of the builder at the user's own lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from blox.schema.diagnostics import BloxError, Diagnostic

from .trace import Trace

E = TypeVar("E", bound=BloxError)
_HERE = str(Path(__file__).parent)


def shortened(error: E) -> E:
    """The error with only the user's own frames in its traceback."""
    frames: list[TracebackType] = []
    at = error.__traceback__
    while at is not None:
        if not at.tb_frame.f_code.co_filename.startswith(_HERE):
            frames.append(at)
        at = at.tb_next
    made: TracebackType | None = None
    for frame in reversed(frames):
        made = TracebackType(made, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    return error.with_traceback(made)


def with_lines(error: E, entries: Sequence[Trace]) -> E:
    """The error with the line at which each node was written, where it names one."""
    found = [
        replace(d, message=f"{d.message} (written at {line})") if line else d
        for d in error.diagnostics
        for line in [_line(d, entries)]
    ]
    return type(error)(found) if found != list(error.diagnostics) else error


def _line(found: Diagnostic, entries: Sequence[Trace]) -> str:
    names = found.path.split(".")
    trace = next((t for t in entries if t.name == names[0]), None)
    line = ""
    for name in names[1:]:
        node = trace.nodes.get(name) if trace is not None else None
        if node is None:
            continue
        line = node.line
        callees = [t for traces in node.callees.values() for t in traces]
        trace = callees[-1] if callees else None
    return line
