"""Runs the blocks of a page one after another, in one folder and one namespace."""

from __future__ import annotations

import contextlib
import io
import json
import shlex
import shutil
from pathlib import Path
from typing import Any

from docs.pages import ROOT, Block, blocks, holds
from edits import edit as change
from typer.testing import CliRunner

from blox.cli.app import app


def run_page(
    page: Path, *, exact: bool, names: dict[str, Any] | None = None
) -> list[str]:
    """Runs a page in the current folder; returns what it shows that is not so.

    Python is run, what it prints is compared with the block of output behind it, the
    commands of a console with their output, excerpts with their files. Where a block
    needs a checkpoint, what it prints is compared only if that is the `exact` one; one that
    needs PyTorch, or another library, is run only then, else the files that it writes are
    there. `names` gets what the page defines.
    """
    names = {} if names is None else names
    printed, compare = "", True
    faults = []
    for block in blocks(page.read_text(encoding="utf-8")):
        where = f"{page.name}:{block.line}"
        for copy in block.marked("copy"):
            shutil.copy(*copy.split(" | "))
        for copy in block.marked("sort"):
            _sort(*copy.split(" | "))
        for edit in block.marked("edit"):
            name, old, new = edit.split(" | ")
            change(Path(name), old, new)
        if files := block.marked("excerpt"):
            faults += [f"{where}: {f}" for f in files if not _taken_from(block, f)]
        elif block.kind == "python" and _can_run(block, exact):
            printed = _printed(block, where, names)
            compare = exact or not block.marked("checkpoint")
        elif block.kind == "output":
            if compare and not holds(block.text, printed, whole=True):
                faults.append(f"{where}: {printed}")
        elif block.kind == "console":
            faults += [f"{where}: {fault}" for fault in _console(block.text)]
    return faults


def _can_run(block: Block, exact: bool) -> bool:
    others = block.marked("torch") or block.marked("libraries")
    return not block.marked("hub") and (exact or not others)


def _printed(block: Block, where: str, names: dict[str, Any]) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(block.text, where, "exec"), names)
    return out.getvalue()


def _sort(name: str, new: str) -> None:
    data = json.loads(Path(name).read_text(encoding="utf-8"))
    Path(new).write_text(json.dumps(data, sort_keys=True), encoding="utf-8")


def _taken_from(block: Block, name: str) -> bool:
    file = Path(name) if Path(name).exists() else ROOT / name
    return holds(block.text, file.read_text(encoding="utf-8"), whole=False)


def _console(text: str) -> list[str]:
    faults = []
    for part in ("\n" + text).split("\n$ ")[1:]:
        line, _, shown = part.partition("\n")
        program, *arguments = shlex.split(line)
        assert program == "blox", f"only blox is run: {line}"
        result = CliRunner().invoke(app, arguments, prog_name="blox")
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        wanted = shown if shown.endswith("\n") or not shown else shown + "\n"
        if not holds(wanted, result.output, whole=True):
            faults.append(f"$ {line}\n{result.output}")
    return faults
