"""CONTRIBUTING.md, "How to add an op": the recipe is followed, in a copy."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from docs.pages import ROOT, Block, blocks

PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PARTS = ("blox", "codegen", "docs", "schema", "tests", "pyproject.toml")
TESTS = (
    *("tests/ops/test_contract.py", "tests/generator/test_ops.py"),
    *("tests/docs/test_reference.py", "-k", "hard_shrink or row or agree or fresh"),
)


def run(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def files_of(block: Block) -> list[str]:
    return [value.split(" | ")[0] for _, value in block.marks]


def follow(folder: Path, block: Block) -> None:
    """Does what the marks of a block say: to the end of a file, or behind a line."""
    for name in block.marked("append"):
        file = folder / name
        file.write_text(f"{file.read_text()}\n\n{block.text}")
    for mark in block.marked("insert"):
        name, line = mark.split(" | ")
        file = folder / name
        text = file.read_text()
        assert text.count(f"{line}\n") == 1, f"{name} has no line {line}"
        file.write_text(text.replace(f"{line}\n", f"{line}\n{block.text}"))


@pytest.mark.slow
def test_the_recipe_gives_an_op_that_all_tests_know(tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__", ".*_cache")
    for name in PARTS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / name, symlinks=True, ignore=ignored)
        else:
            shutil.copy(ROOT / name, tmp_path / name)
    marked = [b for b in blocks(PAGE) if b.marks]
    assert len(marked) == 3
    for block in marked:
        follow(tmp_path, block)
    written = run(tmp_path, "blox.dev.regenerate")
    for name in (
        "blox/builder/op_methods/activations.py",
        "schema/release/locked/activations.json",
        "docs/ops/activations.md",
    ):
        assert f"{name}: written" in written
    run(tmp_path, "ruff", "check", *{f for b in marked for f in files_of(b)})
    told = run(tmp_path, "pytest", "-n0", "-v", "-p", "no:cacheprovider", *TESTS)
    # Reference, transformations, dtypes, and the generated file.
    assert told.count("[hard_shrink] PASSED") >= 4
