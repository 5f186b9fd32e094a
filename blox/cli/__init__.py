"""The command `blox`. Each command is a module; what is heavy is imported inside it."""

from __future__ import annotations

import sys
from importlib.util import find_spec


def main() -> None:
    """Runs the command line: exit code 0 fine, 1 findings, 2 usage."""
    if any(find_spec(name) is None for name in ("typer", "rich")):
        sys.exit("blox: the command line needs more: pip install 'blox-format[cli]'")
    from blox.cli.app import app

    app(prog_name="blox")


__all__ = ["main"]
