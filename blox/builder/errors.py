"""Errors of the builder at the user's own lines."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from blox.schema.diagnostics import BloxError, Diagnostic

from .function import FunctionBuilder
from .trace import Trace

E = TypeVar("E", bound=Exception)
B = TypeVar("B", bound=BloxError)
_HERE = str(Path(__file__).parent)
_CALL = re.compile(r"\w+Methods\.(?P<name>\w+)\(\) (?P<fault>.*)")
"""What Python says of a wrong call of a method."""


def shortened(error: E, source: Exception | None = None) -> E:
    """The error with only the user's own frames in its traceback.

    Args:
        source: the one that was raised, where this explains another.
    """
    frames: list[TracebackType] = []
    at = (source or error).__traceback__
    while at is not None:
        if not at.tb_frame.f_code.co_filename.startswith(_HERE):
            frames.append(at)
        at = at.tb_next
    made: TracebackType | None = None
    for frame in reversed(frames):
        made = TracebackType(made, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    return error.with_traceback(made)


def of_method(error: Exception) -> Exception | None:
    """The error of a wrong call of a method of `f`, which says how that is called.

    None for any other.
    """
    found = _CALL.match(str(error)) if isinstance(error, TypeError) else None
    method = getattr(FunctionBuilder, found["name"], None) if found else None
    if found is None or method is None:
        return error if isinstance(error, AttributeError) and _is_ours(error) else None
    signature = inspect.signature(method)
    _, *parameters = signature.parameters.values()
    plain = [p.replace(annotation=p.empty) for p in parameters]
    call = signature.replace(parameters=plain, return_annotation=signature.empty)
    last = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD][-1:]
    hint = ""
    if strange := re.search(r"unexpected keyword argument '(\w+)'", found["fault"]):
        near = difflib.get_close_matches(strange[1], [p.name for p in parameters], 1)
        hint = f"; did you mean {near[0]}?" if near else ""
    elif "positional arguments but" in found["fault"] and last:
        hint = f"; what stands behind {last[0]} goes by keyword"
    return TypeError(f"f.{found['name']}{call}: {found['fault']}{hint}")


def _is_ours(error: Exception) -> bool:
    """True where the builder itself has raised it."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    return at is not None and at.tb_frame.f_code.co_filename.startswith(_HERE)


def with_lines(error: B, entries: Sequence[Trace]) -> B:
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
