"""A save that dies leaves the old model or the new one: Graph and weights together."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from saved_models import init, layered

import blox as bx
from blox.weights import commit

TESTS = Path(__file__).parents[1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_saves_leave_one_model(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, str(TESTS / "io" / "killed_saves.py"), str(tmp_path), "40"],
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)]),
        },
        check=False,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    report = json.loads(run.stdout)
    assert report["killed"] == 40
    assert report["old"]
    assert report["left"] == ["graph.json", "params.safetensors"]


@pytest.mark.parametrize("step", ["flush", "sync_folder", "complete"])
def test_a_failing_disk_leaves_one_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    old, new = layered(scan=True), layered(scan=True, depth=5)
    bx.save(tmp_path, old, init(old))
    calls = 0

    def fails(*args: object) -> None:
        nonlocal calls
        calls += 1
        # The first `complete` is the one that clears up before a save.
        if step != "complete" or calls > 1:
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(commit, step, fails)
        with pytest.raises(bx.WeightsError, match="No space left"):
            bx.save(tmp_path, new, init(new))
    expected = new if step == "complete" else old
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found, params = bx.load(tmp_path)
    pending = [str(w.message) for w in caught]
    assert len(pending) == (step == "complete")
    assert all("a save that was interrupted" in text for text in pending)
    assert found.digest == expected.digest
    assert params["h"]["up"]["kernel"].shape[0] == len(
        init(expected)["h"]["up"]["bias"]
    )
    bx.save(tmp_path, new, init(new))
    assert sorted(os.listdir(tmp_path)) == ["graph.json", "params.safetensors"]
