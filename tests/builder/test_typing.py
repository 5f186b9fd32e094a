"""A type checker sees what a call gives to a function."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import blox as bx


def block(f: bx.F, x: bx.Value, mask: bx.Value | None = None, *, heads: int) -> bx.Value:
    return x


def pair(f: bx.F, x: bx.Value) -> dict[str, bx.Value]:
    return {"x": x}


def main(f: bx.F, x: bx.Value) -> bx.Value:
    x = f.call("a", block)(x, heads=4)
    x = f.repeat("h", block, count=3, scan=False)(x, heads=bx.each([2, 4]))
    x = f.scan("s", pair)(bx.slices(x))["x"] + 2 * x[:, 0].mean(-1)
    f.call("b", block)(x, head=4)  # wrong
    f.call("c", block)(x)  # wrong
    f.call("d", block)(3, heads=4)  # wrong
    f.map("e", block, counts=3)(x, heads=4)  # wrong
    f.call("g", pair)(x).features  # wrong
    f.linear("l", x, 3, 4)  # wrong
    return x + "text".nothing  # wrong
"""
WRONG = [i for i, line in enumerate(CODE.splitlines(), 1) if "# wrong" in line]


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", [["mypy", "--strict", "--no-error-summary"], ["pyright"]], ids=str
)
def test_wrong_arguments_are_reported(command: list[str], tmp_path: Path) -> None:
    file = tmp_path / "model.py"
    file.write_text(CODE, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", *command, str(file)],
        check=False,
        capture_output=True,
        text=True,
    )
    found = {
        int(line.split("model.py:")[1].split(":")[0])
        for line in done.stdout.splitlines()
        if "model.py:" in line and "error" in line
    }
    assert sorted(found) == WRONG, done.stdout + done.stderr
