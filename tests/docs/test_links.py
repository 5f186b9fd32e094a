"""Everything that Markdown files point to is there: links, files, commands, options."""

from __future__ import annotations

import re
import shlex
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from docs.pages import PAGES, ROOT, anchors, blocks, command_lines, links, spans
from typer.main import get_command

import blox as bx
from blox.cli.app import COMMANDS, app

TOP = {p.name for p in ROOT.iterdir()}
FILE = re.compile(r"[\w.][\w./-]*/[\w.-]+\.(?:py|md|json|toml|yml|jinja|safetensors)")
EACH = pytest.mark.parametrize(
    "page", PAGES, ids=lambda page: str(page.relative_to(ROOT))
)


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@EACH
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for target in links(text_of(page)):
        if re.match(r"https?://", target):
            continue
        name, _, anchor = target.partition("#")
        file = page if not name else (page.parent / name).resolve()
        there = file.is_relative_to(ROOT) and file.exists()
        if not there or (anchor and anchor not in anchors(text_of(file))):
            broken.append(target)
    assert broken == []


@EACH
def test_files_that_are_named_exist(page: Path) -> None:
    """Paths in code that begin with a folder of the repository; NAME is any."""
    named = [
        span
        for span in spans(text_of(page))
        if FILE.fullmatch(span) and span.split("/")[0] in TOP and "NAME" not in span
    ]
    assert [n for n in named if not (ROOT / n).exists()] == []


@EACH
def test_commands_and_options_exist(page: Path) -> None:
    assert [f for line in command_lines(text_of(page)) for f in faults(line)] == []


def test_the_index_has_every_page() -> None:
    index = ROOT / "docs" / "index.md"
    found = {(index.parent / target).resolve() for target in links(text_of(index))}
    assert {p for p in PAGES if p.parent == index.parent} - {index} <= found


def test_fences_are_closed_and_of_a_known_kind() -> None:
    """A block that no test knows is one that no test runs."""
    known = {"python", "output", "console", "sh", "json", "yaml", "text", ""}
    for page in PAGES:
        text = text_of(page)
        fences = re.findall(r"^```.*$", text, re.MULTILINE)
        assert len(fences) == 2 * len(blocks(text)), page.name
        assert {b.kind for b in blocks(text)} <= known, page.name


# --- Commands ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("blox bogus x", "no command bogus"),
        ("blox show model --bogus", "no option --bogus"),
        (".venv/bin/blox fmt -z a", "no option -z"),
        ("blox export onnx a b", "no command onnx"),
        ("python -m blox.bogus", "no module blox.bogus"),
    ],
)
def test_the_check_sees_what_is_wrong(line: str, fault: str) -> None:
    assert any(fault in found for found in faults(line))


def faults(line: str) -> list[str]:
    """Commands and options in a line that the command line does not have."""
    found = []
    for module in re.findall(r"python3? -m (blox[\w.]*)", line):
        if not (ROOT / (module.replace(".", "/") + ".py")).exists():
            found.append(f"{line}: no module {module}")
    for call in re.findall(r"(?:^|\s|/)blox ([^|;&#`]*)", line):
        found += [f"{line}: {fault}" for fault in _call(call)]
    return found


def _call(call: str) -> list[str]:
    try:
        words = shlex.split(call)
    except ValueError:
        words = call.split()
    command: Any = get_command(app)
    path = ""
    while hasattr(command, "get_command") and words and not words[0].startswith("-"):
        word = words.pop(0)
        if not re.fullmatch(r"[a-z]\w*", word):
            return []  # `blox COMMAND`, `blox …`
        path = f"{path} {word}".strip()
        command = _command(path)
        if command is None:
            return [f"no command {word}"]
    options = {"--help", "-h"} | {o for p in command.params for o in p.opts}
    given = [w.partition("=")[0] for w in words if re.match(r"--?[a-z]", w)]
    return [f"no option {w}" for w in given if w not in options]


@cache
def _command(path: str) -> Any:
    command: Any = get_command(app)
    for word in path.split():
        if path.split()[0] not in COMMANDS:
            return None
        command = command.get_command(None, word)
        if command is None:
            return None
    return command


def test_every_public_name_stands_on_a_page() -> None:
    files = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    words = re.findall(r"\w+", "".join(f.read_text(encoding="utf-8") for f in files))
    assert {*bx.__all__, *bx.schema.__all__} - {*words} == set()
