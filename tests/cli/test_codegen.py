"""`blox codegen`: what it writes, when it refuses, what `--check` says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import blox as bx


@pytest.fixture
def source(digits: Path) -> str:
    return bx.generate(bx.load(digits)[0])


def test_writes_what_bx_generate_gives(
    blox: Callable[..., Any], digits: Path, tmp_path: Path, source: str
) -> None:
    file = tmp_path / "digits.py"
    run = blox("codegen", digits, "-o", file)
    lines = source.count("\n")
    assert (run.code, run.out) == (0, f"{file}: written, {lines} lines\n")
    assert file.read_text() == source
    assert blox("codegen", digits).out == source
    assert blox("codegen", digits / "graph.json", "--output", "-").out == source


def test_a_file_that_is_up_to_date_stays(
    blox: Callable[..., Any], digits: Path, tmp_path: Path
) -> None:
    file = tmp_path / "digits.py"
    blox("codegen", digits, "-o", file)
    before = (file.stat().st_ino, file.stat().st_mtime_ns)
    for options in ([], ["--check"], ["--force"]):
        run = blox("codegen", digits, "-o", file, *options)
        assert (run.code, run.out) == (0, f"{file}: up to date\n")
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == before


def test_edits_are_kept_unless_forced(
    blox: Callable[..., Any], digits: Path, tmp_path: Path, source: str
) -> None:
    file = tmp_path / "digits.py"
    edited = source + "\n\nMINE = 1\n"
    file.write_text(edited)
    run = blox("codegen", digits, "-o", file)
    assert (run.code, run.out) == (1, "")
    assert run.err == (
        f"blox: {file}: holds something else, maybe your edits; --check shows the "
        "difference, --force replaces it\n"
    )
    assert file.read_text() == edited
    assert blox("codegen", digits, "-o", file, "--force").code == 0
    assert file.read_text() == source


def test_check_shows_a_diff_and_writes_nothing(
    blox: Callable[..., Any], digits: Path, tmp_path: Path, source: str
) -> None:
    file = tmp_path / "digits.py"
    stale = source.replace("[1, 2, 2, 1]", "[1, 4, 4, 1]")
    assert stale != source
    file.write_text(stale)
    run = blox("codegen", digits, "-o", file, "--check")
    assert run.code == 1
    changed = [line for line in run.out.splitlines() if line[:1] in "+-"]
    assert len(changed) == 4
    assert "[1, 4, 4, 1]" in changed[2]
    assert "[1, 2, 2, 1]" in changed[3]
    assert "stale; write it with: blox codegen " in run.err
    assert file.read_text() == stale


def test_check_of_an_absent_file_is_a_finding(
    blox: Callable[..., Any], digits: Path, tmp_path: Path
) -> None:
    file = tmp_path / "digits.py"
    run = blox("codegen", digits, "-o", file, "--check")
    assert run.code == 1
    assert run.err.endswith(f"-o {file}\n")
    assert not file.exists()


def test_what_the_old_file_holds_is_inert_in_the_diff(
    blox: Callable[..., Any], digits: Path, tmp_path: Path
) -> None:
    file = tmp_path / "digits.py"
    file.write_bytes(b"\x1b[31mred\x07 \xff\n")
    run = blox("codegen", digits, "-o", file, "--check")
    assert all(line.isprintable() for line in run.out.splitlines())
    assert r"-\x1b[31mred\x07" in run.out


@pytest.mark.parametrize("options", [["--check"], ["--force"], ["-o", "-", "--check"]])
def test_options_that_need_a_file(
    blox: Callable[..., Any], digits: Path, options: list[str]
) -> None:
    run = blox("codegen", digits, *options)
    assert (run.code, run.out) == (2, "")


def test_places_that_can_not_be_written(
    blox: Callable[..., Any], digits: Path, tmp_path: Path
) -> None:
    assert blox("codegen", digits, "-o", tmp_path).code == 2
    assert blox("codegen", digits, "-o", tmp_path / "no" / "file.py").code == 2


def test_an_unsound_spec_writes_nothing(
    blox: Callable[..., Any], tmp_path: Path, write_spec: Callable[..., Any]
) -> None:
    spec = write_spec({"out": {"op": "relu", "x": "y"}}, "out")
    run = blox("codegen", spec, "-o", tmp_path / "out.py")
    assert (run.code, run.out) == (1, "")
    assert run.err.startswith("blox: main.out.x: expected an input")
    assert not (tmp_path / "out.py").exists()


def test_without_init(
    blox: Callable[..., Any], digits: Path, tmp_path: Path, source: str
) -> None:
    file = tmp_path / "digits.py"
    assert blox("codegen", digits, "-o", file, "--no-init").code == 0
    assert file.read_text() == bx.generate(bx.load(digits)[0], init=False)
    assert "init_params" in source
    assert "init_params" not in file.read_text()
    assert blox("codegen", digits, "-o", file, "--no-init", "--check").code == 0
    run = blox("codegen", digits, "-o", file, "--check")
    assert run.code == 1
    file.write_text("")
    run = blox("codegen", digits, "-o", file, "--no-init", "--check")
    assert run.err.endswith("--no-init --force\n")


def test_target(blox: Callable[..., Any], digits: Path, tmp_path: Path) -> None:
    file = tmp_path / "digits.py"
    assert blox("codegen", digits, "--target", "nnx", "-o", file).code == 0
    graph = bx.load(digits)[0]
    assert file.read_text() == bx.generate(graph, target="nnx")
    run = blox("codegen", digits, "--target", "equinox", "-o", file, "--check")
    assert run.code == 1
    assert f"-o {file} --target equinox --force" in run.err
    run = blox("codegen", digits, "--target", "nnx", "--no-init")
    assert (run.code, run.out) == (2, "")
    assert "expected no --no-init with --target: constructors draw arrays" in run.err
