"""`blox validate`: is a model sound? All findings at once."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import typer

from blox.cli.output import FINDINGS, existing, say
from blox.cli.reports import FORMATS, FileReport
from blox.schema import BloxError, Diagnostic, Graph

HUB = "hf://"


def validate(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH",
            help="Model folders, graph.json or graph.msgpack files, single "
            ".safetensors files, hf://owner/name.",
            show_default=False,
        ),
    ],
    structure: Annotated[
        bool,
        typer.Option(
            "--structure", help="Only the spec by itself: no shapes, no weights."
        ),
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Warnings are findings too.")
    ] = False,
    format: Annotated[
        Literal["text", "json", "github"],
        typer.Option(help="text for people, json for scripts, github for workflows."),
    ] = "text",
) -> None:
    """Checks models: the spec, the shapes that flow, names and shapes of the weights.

    All faults are reported in one pass: where, what was expected, what was found, what to
    do. Nothing of a file is executed, and no array is read. The exit code is 1 if there
    is an error in any of them.

    Examples:
        blox validate model
        blox validate model/graph.json --structure
        blox validate models/*/graph.json --strict --format github
    """
    reports = []
    for path in paths:
        if not path.startswith(HUB):
            existing(path)
        reports.append(FileReport(path, _findings(path, structure)))
    say(FORMATS[format](reports), commands=format == "github")
    if not all(r.fine(strict=strict) for r in reports):
        raise typer.Exit(FINDINGS)


def _findings(path: str, structure: bool) -> list[Diagnostic]:
    try:
        if not structure:
            from blox.io.validate import validate

            return list(validate(path))
        from blox.schema.resolve.resolver import validate as validate_structure

        return list(validate_structure(_graph(path)))
    except BloxError as error:
        return list(error.diagnostics)


def _graph(path: str) -> Graph:
    """As `read_graph`; a plain file is read without all that knows of weights, whose
    import would be a tenth of this command's time."""
    from blox.schema import from_bytes
    from blox.schema.parse.reader import MAX_BYTES

    file = Path(path)
    if file.suffix in (".json", ".msgpack"):
        status = file.lstat()
        if stat.S_ISREG(status.st_mode) and status.st_size <= MAX_BYTES:
            return from_bytes(file.read_bytes())
    from blox.io.spec import read_graph

    return read_graph(path)


COMMANDS: dict[str, Callable[..., None]] = {"validate": validate}
