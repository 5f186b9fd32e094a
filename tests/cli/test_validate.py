"""`blox validate`: findings, their three formats, exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edits import edit

from blox.cli.reports import FileReport, as_github, as_text
from blox.schema import Diagnostic

LINEAR = {"op": "linear", "x": "x", "in_features": 4, "out_features": 2}
UNUSED = {"spare": {"op": "relu", "x": "x"}, "out": LINEAR}


def test_a_sound_model_is_fine(blox: Callable[..., Any], digits: Path) -> None:
    run = blox("validate", digits)
    assert (run.code, run.out, run.err) == (0, f"{digits}: fine\n", "")


def test_all_faults_of_all_files_in_one_pass(
    blox: Callable[..., Any], digits: Path, write_spec: Callable[..., Any]
) -> None:
    spec = write_spec({"a": {**LINEAR, "x": "y"}, "b": {**LINEAR, "x": "z"}}, "nowhere")
    run = blox("validate", "--structure", spec, digits)
    assert run.code == 1
    assert [line.split()[1:3] for line in run.out.splitlines()] == [
        ["error", "reference-unknown"],
        ["error", "reference-unknown"],
        ["error", "reference-unknown"],
        ["3", "errors,"],
        ["fine"],
    ]
    for where in ("main.a.x:", "main.b.x:", "main.outputs.y:"):
        assert f"error reference-unknown {where} expected an input" in run.out


def test_warnings_are_findings_when_strict(
    blox: Callable[..., Any], write_spec: Callable[..., Any]
) -> None:
    spec = write_spec(UNUSED, "out")
    relaxed, strict = blox("validate", spec), blox("validate", spec, "--strict")
    assert "warning unused-node main.spare: nothing uses this node" in relaxed.out
    assert (relaxed.code, strict.code) == (0, 1)
    assert relaxed.out == strict.out


def test_shapes_are_looked_at_unless_structure_is_asked_for(
    blox: Callable[..., Any], write_spec: Callable[..., Any]
) -> None:
    spec = write_spec({"out": {**LINEAR, "in_features": 5}}, "out")
    assert blox("validate", spec, "--structure").code == 0
    run = blox("validate", spec)
    assert run.code == 1
    assert "main.out" in run.out


def test_weights_are_held_against_the_spec(
    blox: Callable[..., Any], digits: Path
) -> None:
    spec = digits / "graph.json"
    edit(spec, '"classes": 10', '"classes": 11')
    assert blox("validate", digits, "--structure").code == 0
    run = blox("validate", digits)
    assert run.code == 1
    assert "head.bias" in run.out


def test_json_is_for_scripts(
    blox: Callable[..., Any], write_spec: Callable[..., Any]
) -> None:
    spec = write_spec({"out": {**LINEAR, "x": "é"}, "spare": LINEAR}, "out")
    run = blox("validate", spec, "--structure", "--format", "json")
    data = json.loads(run.out)
    assert run.code == 1
    assert data["ok"] is False
    (file,) = data["files"]
    assert (file["path"], file["ok"]) == (str(spec), False)
    (found,) = file["diagnostics"]
    assert set(found) == {"severity", "code", "path", "message", "hint"}
    assert (found["severity"], found["path"]) == ("error", "main.out.x")


def test_github_annotations_are_one_line_each_and_escaped() -> None:
    found = Diagnostic(
        "shape", "main.x", "100 % wrong\r\n::set-output name=x::y", "see\nthere"
    )
    (line,) = as_github([FileReport("mo,del:1\n.json", [found])]).splitlines()
    assert line == (
        r"::error file=mo%2Cdel%3A1\n.json,title=blox shape::"
        r"main.x: 100 %25 wrong\r\n::set-output name=x::y; see\nthere"
    )


def test_github_annotations_point_at_the_file(
    blox: Callable[..., Any], digits: Path
) -> None:
    spec = digits / "graph.json"
    edit(spec, '"x": "max_pool_1"', '"x": "max_pol"')
    run = blox("validate", digits, "--structure", "--format", "github")
    assert run.code == 1
    assert run.out.startswith(f"::error file={spec},title=blox reference-unknown::main")


def test_text_of_findings_is_inert() -> None:
    found = Diagnostic("shape", "main.x", "\x1b[31mred\x07 [bold]x[/bold]\nnew", "")
    text = as_text([FileReport("a\x1b]0;title\x07", [found])])
    assert r"main.x: \x1b[31mred\x07 [bold]x[/bold]\nnew" in text
    assert r"a\x1b]0;title\x07" in text


def test_a_file_that_is_no_spec(blox: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "graph.json"
    for text, message in [
        ("{", "expected JSON, found an error at line 1"),
        ('{"format": "blox/9"}', "this blox reads 'blox/1', found 'blox/9'"),
        ('{"format": "blox/1", "format": "blox/1"}', "expected each key once"),
    ]:
        path.write_text(text)
        for options in ([], ["--structure"]):
            run = blox("validate", path, *options)
            assert run.code == 1
            assert message in run.out
            assert run.err == ""
