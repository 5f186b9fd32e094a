"""`blox fmt`: specs in their canonical form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from blox.cli.output import FINDINGS, error_lines, existing, say, usage
from blox.cli.writing import write_atomically
from blox.schema import BloxError
from blox.show.printable import printable

NAMES = ("graph.json", "graph.msgpack")


def fmt(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH",
            help="Files .json or .msgpack that hold a Graph, or model folders.",
            show_default=False,
        ),
    ],
    check: Annotated[
        bool,
        typer.Option("--check", help="Write nothing; exit 1 if a file would change."),
    ] = False,
    reorder: Annotated[
        bool,
        typer.Option(
            "--reorder",
            help="Put nodes that a tool has sorted back into an order that runs.",
        ),
    ] = False,
) -> None:
    """Writes specs in their canonical form: one text for one meaning.

    The order of functions, inputs and nodes is part of the meaning and stays. A file
    that is no spec is left as it is, and so is one that is canonical already.

    Examples:
        blox fmt model/graph.json
        blox fmt models/* --check
        blox fmt sorted.json --reorder
    """
    changed = failed = False
    for file in [f for p in paths for f in _files(p)]:
        try:
            different = _format(file, check, reorder)
        except BloxError as error:
            failed = True
            for line in error_lines(error):
                say(f"blox: {printable(f'{file}: {line}')}", err=True)
            continue
        changed |= different
        if different:
            say(f"{printable(str(file))}: {'would change' if check else 'formatted'}")
    if failed or (check and changed):
        raise typer.Exit(FINDINGS)


def _files(path: str) -> list[Path]:
    place = existing(path)
    if place.is_dir():
        found = [place / name for name in NAMES if (place / name).is_file()]
        if not found:
            usage(f"{path}: expected graph.json or graph.msgpack in it, found neither")
        return found
    if place.suffix not in (".json", ".msgpack"):
        usage(f"{path}: expected a .json or a .msgpack file, found another name")
    return [place]


def _format(file: Path, check: bool, reorder: bool) -> bool:
    from blox.schema import from_bytes, to_json, to_msgpack
    from blox.schema.parse.reader import MAX_BYTES
    from blox.weights.files import read_small
    from blox.weights.lock import locked

    # A save meanwhile would lose its Graph, and keep its weights.
    with locked(file.parent):
        _refuse_unfinished(file)
        old = read_small(file, MAX_BYTES)
        graph = from_bytes(old)
        if reorder:
            from blox.schema.write.reorder import reorder as ordered

            graph = ordered(graph)
        packed = file.suffix == ".msgpack"
        new = to_msgpack(graph) if packed else to_json(graph).encode()
        if new != old and not check:
            write_atomically(file, new)
        return new != old


def _refuse_unfinished(file: Path) -> None:
    """A save that was interrupted has another Graph for the file's name."""
    from blox.weights.files import refuse
    from blox.weights.log import LOG, read_log

    log = read_log(file.parent)
    if log is not None and file.name in log.write:
        hint = "blox.weights.finish(folder) completes it"
        refuse("weights-log", LOG, "expected no unfinished save, found one", hint)


COMMANDS: dict[str, Callable[..., None]] = {"fmt": fmt}
