"""CONTRIBUTING.md, "How to add an op": the recipe is followed, in a copy."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from docs.pages import ROOT, Block, blocks

PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
MORE = (ROOT / "tests" / "docs" / "more_ops.md").read_text(encoding="utf-8")
PARTS = ("blox", "codegen", "docs", "schema", "tests", "pyproject.toml")
ADDED = {
    "hard_shrink": "activations",
    "relu@2": "activations",
    "exp1": "elementary",
    "scatter_add": "indexing",
    "low_rank": "linear",
    "memory_cell": "linear",
    "upscale": "pooling",
}
ABOUT = " or ".join(["row", "agree", "fresh", *(n.split("@")[0] for n in ADDED)])
TESTS = ("tests/ops/test_contract.py",)
PAGES = ("tests/docs/test_reference.py", "tests/spec/test_published.py")


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
    """Does what the marks of a block say: to the end of a file, behind or for a line."""
    for name in block.marked("append"):
        file = folder / name
        file.write_text(f"{file.read_text()}\n\n{block.text}")
    for mark in (*block.marked("insert"), *block.marked("replace")):
        name, line = mark.split(" | ", 1)
        file = folder / name
        text = file.read_text()
        assert text.count(f"{line}\n") == 1, f"{name} has no line {line}"
        kept = f"{line}\n" if mark in block.marked("insert") else ""
        file.write_text(text.replace(f"{line}\n", f"{kept}{block.text}"))


@pytest.mark.slow
def test_the_recipe_gives_ops_that_all_tests_know(tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__", ".*_cache")
    for name in PARTS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / name, symlinks=True, ignore=ignored)
        else:
            shutil.copy(ROOT / name, tmp_path / name)
    marked = [b for text in (PAGE, MORE) for b in blocks(text) if b.marks]
    for block in marked:
        follow(tmp_path, block)
    written = run(tmp_path, "blox.dev.regenerate")
    for family in set(ADDED.values()):
        for name in (
            f"blox/builder/op_methods/{family}.py",
            f"schema/release/nodes/{family}.json",
            f"schema/release/locked/{family}.json",
            f"docs/ops/{family}.md",
        ):
            assert f"{name}: written" in written
    assert "tests/golden" not in written  # what was there means what it did
    run(tmp_path, "ruff", "check", *{f for b in marked for f in files_of(b)})
    typed = ("blox/schema/ops/linear.py", "blox/ops/linear.py")
    run(tmp_path, "mypy", "--follow-imports=silent", *typed)
    run(tmp_path, "tests.docs.check_more_ops")
    output = run(
        tmp_path, "pytest", "-n0", "-v", "-p", "no:cacheprovider", *TESTS, "-k", ABOUT
    )
    for name in ADDED:
        # There is a row; the spec, the Graph and the numbers of it are held to the contract.
        assert output.count(f"{name}] PASSED") >= 4, name
    run(tmp_path, "pytest", "-n0", "-p", "no:cacheprovider", *PAGES)
