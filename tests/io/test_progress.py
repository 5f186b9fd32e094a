"""`progress=` means one thing: None a bar for long work, True for any, False for none."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hf.checkpoints import TINY, imported
from saved_models import init, layered

import blox as bx
from blox.weights import load_flat, save_flat, verify

GRAPH = layered(scan=True)
PARAMS = init(GRAPH)
FUNCTIONS = [
    *(bx.save, bx.load, bx.verify, bx.from_hf, bx.to_hf),
    *(save_flat, load_flat, verify),
]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__module__)
def test_one_type_and_one_default(function: Callable[..., Any]) -> None:
    parameter = inspect.signature(function).parameters["progress"]
    assert parameter.annotation == "bool | None"
    assert parameter.default is None
    assert parameter.kind is inspect.Parameter.KEYWORD_ONLY


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    bx.save(folder, GRAPH, PARAMS)
    return folder


def export(folder: Path, **options: Any) -> None:
    bx.to_hf(folder / "hf", *imported(), **options)


WORK: dict[str, tuple[Callable[..., Any], str]] = {
    "save": (lambda folder, **o: bx.save(folder, GRAPH, PARAMS, **o), "saving"),
    "load": (lambda folder, **o: bx.load(folder, mmap=False, **o), "loading"),
    "cast": (lambda folder, **o: bx.load(folder, dtype="float16", **o), "converting"),
    "verify": (bx.verify, "verifying"),
    "from_hf": (lambda folder, **o: bx.from_hf(TINY, **o), "converting"),
    "to_hf": (export, "saving"),
}


@pytest.mark.parametrize("work", WORK)
@pytest.mark.parametrize("progress", [None, True, False])
@pytest.mark.parametrize("long", [True, False])
@pytest.mark.parametrize("terminal", [True, False])
def test_bars(
    work: str,
    progress: bool | None,
    long: bool,
    terminal: bool,
    model: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("rich", reason="needs the extra `cli`")
    if long:
        monkeypatch.setattr("blox.weights.progress.LONG_WORK_BYTES", 1)
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    monkeypatch.setenv("TERM", "xterm")
    act, label = WORK[work]
    capsys.readouterr()
    act(model, progress=progress)
    out, err = capsys.readouterr()
    assert out == ""
    wanted = progress or (progress is None and long)
    assert (label in err) is (terminal and wanted)
    assert err == "" or (terminal and wanted)


def test_mapping_needs_no_bar(
    model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is read, so there is nothing to wait for."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    bx.load(model, progress=True)
    assert capsys.readouterr() == ("", "")
