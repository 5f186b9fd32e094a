"""Paths and docs that mean harm: every command ends in a line, which nothing obeys."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from generated_files import executed

import blox as bx
from blox.schema.inert import inert

BLOX = [sys.executable, "-c", "from blox.cli import main; main()"]

PATHS = [
    "a\0b",
    "\ud800",
    "\udcff",
    "a\nb",
    "a\n::error::x",
    "::error::x",
    "\t::stop-commands::x",
    "##[error]x",
    "\x1b[31mred",
    "x" * 300,
    "a/" * 3000,
    "",
    "file/inside",
    "loop",
    "fifo",
    "dangling",
    "hf://",
    "hf://../x/y\0",
]
READ: list[tuple[str, ...]] = [
    ("validate",),
    ("validate", "--structure"),
    ("show",),
    ("codegen",),
    ("verify",),
    ("fmt",),
    ("init", "IT", "new"),
    ("edit", "IT", "new", "--freeze", "*"),
    ("import", "hf", "IT", "new"),
    ("export", "hf", "IT", "new"),
]
WRITTEN: list[tuple[str, ...]] = [
    ("codegen", "spec.json", "-o", "IT"),
    ("codegen", "spec.json", "-o", "IT", "--check"),
    ("init", "spec.json", "IT"),
    ("edit", "spec.json", "IT", "--freeze", "*"),
    ("export", "hf", "spec.json", "IT"),
]


@pytest.fixture
def here(write_spec: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder: a spec, a file, a pipe, links to nothing."""
    folder = write_spec({"a": {"op": "relu", "x": "x"}}, "a").parent
    monkeypatch.chdir(folder)
    (folder / "loop").symlink_to("loop")
    (folder / "dangling").symlink_to("nowhere")
    (folder / "file").write_text("text")
    os.mkfifo(folder / "fifo")
    return folder


def assert_inert(text: str) -> None:
    for line in text.splitlines():
        assert line.isprintable(), line
        assert not line.lstrip().startswith("::"), line
        assert "##[" not in line


@pytest.mark.parametrize("command", READ, ids=" ".join)
@pytest.mark.usefixtures("here")
def test_paths_that_are_read(
    blox: Callable[..., Any], command: tuple[str, ...]
) -> None:
    for path in PATHS:
        call = [path if part == "IT" else part for part in command]
        run = blox(*call) if "IT" in command else blox(*command, path)
        assert run.code in (1, 2), path
        assert len(run.err.splitlines()) <= 1, path
        assert run.out + run.err, path
        assert_inert(run.out + run.err)


@pytest.mark.parametrize("command", WRITTEN, ids=" ".join)
def test_paths_that_are_written(
    blox: Callable[..., Any], here: Path, command: tuple[str, ...]
) -> None:
    for path in PATHS:
        run = blox(*[path if part == "IT" else part for part in command])
        assert run.code in (0, 1, 2), path
        if run.code:
            assert run.err or "stale" in run.out
        assert_inert(run.out + run.err)
    assert (here / "file").read_text() == "text"


def test_only_annotations_are_commands(blox: Callable[..., Any], here: Path) -> None:
    folder = here / "::error::x"
    folder.mkdir()
    (folder / "graph.json").write_text("{")
    text = blox("validate", "::error::x").out
    assert text.startswith(r"\x3a:error::x: error file-syntax ")
    assert_inert(text)
    (line,) = blox("validate", "::error::x", "--format", "github").out.splitlines()
    assert line.startswith(
        "::error file=%3A%3Aerror%3A%3Ax/graph.json,title=blox file-syntax::expected"
    )


DOC = "A model.\n::error file=a.py::x\n  ::stop-commands::y\nsee ##[error]z ##vso[w]"


def test_docs_are_no_commands(
    blox: Callable[..., Any], write_spec: Callable[..., Path], tmp_path: Path
) -> None:
    spec = write_spec({"a": {"op": "relu", "x": "x"}}, "a")
    data = json.loads(spec.read_text())
    data["functions"]["main"]["doc"] = DOC
    data["metadata"] = {"description": DOC, "source": DOC, "license": "::set-output::"}
    spec.write_text(json.dumps(data))
    source = blox("codegen", spec).out
    assert_inert(source)
    assert "##vso[" not in source
    doc, _, shapes = executed(source)["model"].__doc__.rpartition("\n\n")
    assert (doc.split(), shapes.strip()) == (
        DOC.split(),
        "x (batch, 4) -> y (batch, 4).",
    )
    assert_inert(blox("show", spec).out)
    file = tmp_path / "old.py"
    file.write_text(f'"""{DOC}"""\n')
    assert_inert(blox("codegen", spec, "-o", file, "--check").out)


def test_lines_that_are_no_commands_stay() -> None:
    for line in ("a::b", "", ":", "x ::y", "# [a]", "##", "s[::2]", "# ## a"):
        assert inert(line) == line
    assert inert("::a::b") == r"\x3a:a::b"


def test_a_platform_that_is_not_there_is_one_line(digits: Path) -> None:
    run = subprocess.run(
        [*BLOX, "verify", digits],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"JAX_PLATFORMS": "cuda"},
    )
    assert run.returncode == 1
    assert run.stdout == ""
    assert run.stderr == (
        "blox: expected a device of the platform 'cuda', found none; "
        "JAX_PLATFORMS=cpu runs on the CPU\n"
    )


def test_faults_of_our_own_are_not_hidden(
    blox: Callable[..., Any], digits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **options: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(bx, "generate", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        blox("codegen", digits)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("command", ["validate", "show", "codegen", "verify", "fmt"])
def test_an_empty_path(blox: Callable[..., Any], command: str) -> None:
    run = blox(command, "")
    found = (run.code, run.out, run.err)
    assert found == (2, "", "blox: expected a path, found an empty text\n")


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("command", ["validate", "show", "codegen"])
def test_what_may_be_a_graph_alone(blox: Callable[..., Any], command: str) -> None:
    run = blox(command, "file")
    wanted = (
        "expected a model folder, a Graph (*.json, *.msgpack) or a *.safetensors file"
    )
    assert run.code == 1
    assert wanted in run.out + run.err
