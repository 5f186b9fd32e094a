"""The output of commands: inert text on standard output, faults on standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

import typer

from blox.schema import BloxError
from blox.schema.inert import inert
from blox.show.printable import printable

FINE, FINDINGS, USAGE = 0, 1, 2
LONGEST = 4095
"""Bytes of a path."""


def say(
    text: str, *, err: bool = False, commands: bool = False, end: str = "\n"
) -> None:
    """Lines of our own making; text of a file goes through `printable` before.

    Args:
        text: what is written.
        end: what comes after it.
        err: on standard error.
        commands: lines may be commands of a CI, which are spelled out otherwise.
    """
    if not commands:
        text = "\n".join(inert(line) for line in text.split("\n"))
    typer.echo(f"{text}{end}", err=err, nl=False)


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


def platform_fault() -> str | None:
    """The reason, on one line, why JAX has no device to run on; None if it has one."""
    jax = sys.modules.get("jax")
    if jax is None:
        return None
    try:
        jax.devices()
    except (RuntimeError, AssertionError):
        wanted = jax.config.jax_platforms
        return (
            f"expected a device of the platform {wanted!r}, found none; "
            "JAX_PLATFORMS=cpu runs on the CPU"
        )
    return None


def place(path: str) -> Path:
    """A path that a system can have, whether anything is there or not."""
    try:
        size = len(os.fsencode(path))
    except UnicodeEncodeError:
        usage(f"{path}: expected a path of valid characters")
    if not path:
        usage("expected a path, found an empty text")
    if "\0" in path:
        usage(f"{path}: expected a path without a NUL")
    if size > LONGEST:
        usage(f"{path[:60]}...: expected a path of at most {LONGEST} bytes")
    return Path(path)


def existing(path: str) -> Path:
    """A path that is there; its absence is a fault of the call, not of the model."""
    found = place(path)
    if not found.exists():
        usage(f"{path}: expected a file or folder, found none")
    return found


def tolerant_streams() -> None:
    """A character that the terminal's encoding lacks is spelled out, not an error."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
