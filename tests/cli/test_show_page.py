"""`blox show --html`: what it writes, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import blox as bx
from blox.show.page.html import page

from .conftest import Run

Blox = Callable[..., Run]


def test_it_writes_the_page_and_says_so(
    blox: Blox, digits: Path, tmp_path: Path
) -> None:
    file = tmp_path / "digits.html"
    run = blox("show", digits, "--html", file)
    assert (run.code, run.err) == (0, "")
    assert run.out == f"{file}: written\n"
    graph = bx.load(digits)[0]
    dtypes = dict.fromkeys(graph.program().leaves(), "float32")
    assert file.read_text(encoding="utf-8") == page(graph, dtypes)
    assert blox("show", digits, "--html", file).out == f"{file}: up to date\n"


def test_another_page_is_replaced(blox: Blox, digits: Path, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    blox("show", "tests/models/tiny_gpt.json", "--html", file)
    old = file.read_bytes()
    assert blox("show", digits, "--html", file).code == 0
    assert file.read_bytes() != old


def test_a_page_goes_to_stdout(blox: Blox, digits: Path, tmp_path: Path) -> None:
    run = blox("show", digits, "--html", "-")
    blox("show", digits, "--html", tmp_path / "x.html")
    assert run.out == (tmp_path / "x.html").read_text(encoding="utf-8")


def test_what_is_no_page_is_left_alone(
    blox: Blox, digits: Path, tmp_path: Path
) -> None:
    file = tmp_path / "mine.html"
    file.write_text("<!DOCTYPE html><title>mine</title>")
    run = blox("show", digits, "--html", file)
    assert run.code == 1
    assert run.err == (
        f"blox: {file}: holds something else than such a page; --force replaces it\n"
    )
    assert file.read_text() == "<!DOCTYPE html><title>mine</title>"
    assert blox("show", digits, "--html", file, "--force").code == 0
    assert "blox show" in file.read_text(encoding="utf-8")[:512]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--force"], "expected --html FILE along with --force"),
        (
            ["--html", "x.html", "--depth", 1],
            "expected one of --depth, --mermaid, --dot, --html, found --depth and --html",
        ),
        (["--html", "."], ".: expected a file, found a folder"),
        (
            ["--html", "nowhere/x.html"],
            "nowhere/x.html: expected a folder to write to, found none",
        ),
        (["--html", ""], "expected a path, found an empty text"),
    ],
)
def test_wrong_usage(blox: Blox, digits: Path, options: list[Any], said: str) -> None:
    run = blox("show", digits, *options)
    assert (run.code, run.out) == (2, "")
    assert run.err == f"blox: {said}\n"


def test_a_faulty_model_writes_nothing(
    blox: Blox, write_spec: Callable[..., Path], tmp_path: Path
) -> None:
    spec = write_spec({"a": {"op": "relu", "x": "nowhere"}}, "a")
    run = blox("show", spec, "--html", tmp_path / "x.html")
    assert run.code == 1
    assert "main.a.x" in run.err
    assert not (tmp_path / "x.html").exists()
