"""What commands write: inert text on standard output, faults on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

import typer

from blox.schema import BloxError
from blox.show.printable import printable

FINE, FINDINGS, USAGE = 0, 1, 2


def say(text: str, *, err: bool = False) -> None:
    """Lines of our own making; text of a file goes through `printable` before."""
    typer.echo(text, err=err)


def fail(message: str, code: int = FINDINGS) -> NoReturn:
    """One line on standard error, then the end."""
    say(f"blox: {printable(message)}", err=True)
    raise typer.Exit(code)


def usage(message: str) -> NoReturn:
    """The command was called in a way that can't be meant."""
    fail(message, USAGE)


def error_lines(error: BloxError | OSError) -> Iterable[str]:
    """One line for every fault, without a traceback."""
    if isinstance(error, BloxError):
        for found in error.diagnostics:
            yield str(found)
    elif error.filename is not None:
        yield f"{error.filename}: {error.strerror or type(error).__name__}"
    else:
        yield str(error) or type(error).__name__


def existing(path: str) -> Path:
    """A path that is there; its absence is a fault of the call, not of the model."""
    found = Path(path)
    if not found.exists():
        usage(f"{path}: expected a file or folder, found none")
    return found


def tolerant_streams() -> None:
    """A character that the terminal's encoding lacks is spelled out, not an error."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
