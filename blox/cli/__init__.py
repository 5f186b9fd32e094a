"""The command `blox`. Each command is a module; what is heavy is imported inside it."""

from __future__ import annotations

import sys
from importlib.util import find_spec

COLLECT_AFTER = 200_000
"""Objects that are made before the garbage collector looks for circles among them."""


def main() -> None:
    """Runs the command line: exit code 0 fine, 1 findings, 2 usage."""
    if any(find_spec(name) is None for name in ("typer", "rich")):
        sys.exit("blox: the command line needs more: pip install 'blox-format[cli]'")
    _collect_rarely()
    from blox.cli.app import app

    app(prog_name="blox")


def _collect_rarely() -> None:
    """Classes and specs are no garbage: looking through them again and again, and once
    more at the end, is a fifth of the time of a short command."""
    import atexit
    import gc

    gc.set_threshold(COLLECT_AFTER)
    atexit.register(gc.freeze)


__all__ = ["main"]
