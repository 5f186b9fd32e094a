"""A save that dies leaves the old model or the new one, and nothing else changed."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from weights.killed_saves import MODELS, held, save, tensors

import blox as bx
from blox.schema.diagnostics import WeightsError
from blox.weights import commit, finish, load_flat, read_headers, save_flat
from blox.weights.lock import lock_folder

pytestmark = pytest.mark.skipif(os.name != "posix", reason="uses POSIX's calls")

CALLS = ("open", "fsync", "replace", "unlink", "fchmod")
"""Between two of these nothing on the disk changes."""


class Dead(BaseException):
    """The end of a killed process: it does nothing any more."""


def break_at(patch: pytest.MonkeyPatch, step: int, error: BaseException | None) -> Any:
    """The `step`-th call fails with `error`, or kills: it and all later ones fail."""
    count = 0

    def broken(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **keywords: Any) -> Any:
            nonlocal count
            count += 1
            if count == step and error is not None:
                raise error
            if count >= step and error is None:
                raise Dead
            return real(*args, **keywords)

        return call

    for name in CALLS:
        patch.setattr(os, name, broken(getattr(os, name)))
    return lambda: count


@pytest.fixture
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Syncing takes most of the time, and nobody pulls a plug here."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.mark.usefixtures("unsynced")
@pytest.mark.parametrize("before", MODELS)
@pytest.mark.parametrize("after", MODELS)
def test_killed_at_every_step(before: str, after: str, tmp_path: Path) -> None:
    found = []
    for step in range(1, 1000):
        folder = tmp_path / str(step)
        save(folder, before)
        (folder / "notes.txt").write_text("mine")
        with pytest.MonkeyPatch.context() as patch:
            break_at(patch, step, None)
            try:
                save(folder, after)
                done = True
            except Dead:
                done = False
        found.append(held(folder))
        assert (folder / "notes.txt").read_text() == "mine"
        # Whatever was left, the next save works and sweeps.
        save(folder, before)
        assert held(folder) == before
        assert not [name for name in os.listdir(folder) if name.startswith(".")]
        if done:
            break
    assert len(found) > 20
    commit = found.index(after)
    assert found == [before] * commit + [after] * (len(found) - commit)


@pytest.mark.usefixtures("unsynced")
def test_disk_full_at_every_step(tmp_path: Path) -> None:
    step = 0
    for step in range(1, 1000):
        folder = tmp_path / str(step)
        save(folder, "old")
        with pytest.MonkeyPatch.context() as patch:
            calls = break_at(patch, step, OSError(errno.ENOSPC, "No space left"))
            caught = None
            try:
                save(folder, "new")
            except WeightsError as error:
                caught = error
            if calls() < step:
                break
        if caught is not None:
            assert "No space left" in str(caught)
        if held(folder) == "old":
            assert not [name for name in os.listdir(folder) if name.startswith(".")]
    assert step > 20


@pytest.mark.parametrize("count", [50, pytest.param(200, marks=pytest.mark.slow)])
def test_processes_killed_at_random_moments(count: int, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    script = Path(__file__).with_name("killed_saves.py")
    root = Path(__file__).parents[2]
    run = subprocess.run(
        [sys.executable, script, tmp_path, str(count)],
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert run.returncode == 0, run.stderr
    report = json.loads(run.stdout)
    assert report["killed"] == count == report["old"] + report["new"]
    assert min(report["old"], report["new"]) > 0
    assert report["unfinished"] > 0 or count < 200
    assert report["left"] == [
        "graph.json",
        "notes.txt",
        *(f"params-0000{i}-of-00005.safetensors" for i in range(1, 6)),
        "params.safetensors.index.json",
    ]
    loaded = load_flat(read_headers(tmp_path))
    for name, array in tensors("old").items():
        np.testing.assert_array_equal(loaded[name], array)


def test_finish_completes_for_programs_that_do_not_know_the_log(tmp_path: Path) -> None:
    save(tmp_path, "old")
    for step in range(1, 1000):
        with pytest.MonkeyPatch.context() as patch:
            break_at(patch, step, None)
            with pytest.raises(Dead):
                save(tmp_path, "single")
        if held(tmp_path) == "single":
            break
    assert finish(tmp_path)
    assert not finish(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["graph.json", "params.safetensors"]
    assert (tmp_path / "graph.json").read_text() == "single"


@pytest.mark.usefixtures("unsynced")
def test_finish_waits_for_the_save_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It might remove what a later save has written under names of an older model."""
    save(tmp_path, "old")
    with monkeypatch.context() as patch:
        patch.setattr(commit, "complete", lambda folder: False)
        save(tmp_path, "new")
    log = tmp_path / ".blox-commit.json"
    descriptor, locked = lock_folder(tmp_path)
    assert locked
    thread = threading.Thread(target=finish, args=[str(tmp_path)])
    thread.start()
    thread.join(0.05)
    assert log.exists()
    os.close(descriptor)
    thread.join(60)
    assert not log.exists()
    assert held(tmp_path) == "new"


def test_finish_of_what_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for path in (tmp_path / "nowhere", tmp_path / "file", "a\0b"):
        with pytest.raises(bx.WeightsError):
            finish(path)


def test_a_folder_that_is_replaced_while_a_save_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock is that of the folder which has the name then."""
    import fcntl

    folder = tmp_path / "model"
    folder.mkdir()
    flock, calls = fcntl.flock, 0

    def waits(descriptor: int, operation: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            folder.rename(tmp_path / "away")
            folder.mkdir()
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", waits)
    descriptor, locked = lock_folder(folder)
    assert locked
    assert calls == 2
    assert os.path.samestat(os.fstat(descriptor), os.stat(folder))
    os.close(descriptor)


def test_a_log_that_no_reader_would_take_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path, "old")
    before = sorted(os.listdir(tmp_path))
    monkeypatch.setattr(commit, "MAX_LOG_BYTES", 100)
    with pytest.raises(bx.WeightsError, match="expected fewer files, found 5 to write"):
        save(tmp_path, "new")
    assert sorted(os.listdir(tmp_path)) == before
    assert held(tmp_path) == "old"


def test_readers_beside_a_saving_thread(tmp_path: Path) -> None:
    save(tmp_path, "old")
    stop = threading.Event()

    def alternate() -> None:
        while not stop.is_set():
            for model in MODELS:
                save(tmp_path, model)

    thread = threading.Thread(target=alternate)
    thread.start()
    try:
        for _ in range(40):
            headers = read_headers(tmp_path)
            model = headers.metadata["model"]
            assert list(headers.tensors) == list(tensors(model))
    finally:
        stop.set()
        thread.join()


def test_two_saves_at_once_do_not_mix(tmp_path: Path) -> None:
    def repeat(model: str) -> None:
        for _ in range(5):
            save(tmp_path, model)

    threads = [threading.Thread(target=repeat, args=(model,)) for model in MODELS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert held(tmp_path) in MODELS


def test_mode_is_kept_and_new_files_follow_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        path = tmp_path / "a.safetensors"
        save_flat(path, {}, metadata={})
        assert path.stat().st_mode & 0o777 == 0o640
        path.chmod(0o604)
        save_flat(path, {}, metadata={"x": "y"})
        assert path.stat().st_mode & 0o777 == 0o604
    finally:
        os.umask(old)


def test_targets_that_are_neither_folder_nor_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    os.mkfifo(tmp_path / "fifo.safetensors")
    (tmp_path / "folder.safetensors").mkdir()
    (tmp_path / "model" / "graph.json").mkdir(parents=True)
    cases = {
        "file": "expected a folder",
        "file/model": "Not a directory",
        "fifo.safetensors": "expected a regular file to replace",
        "folder.safetensors": "found a folder",
        "model": "graph.json: expected a regular file to replace, found a folder",
    }
    for name, message in cases.items():
        extras = {"graph.json": b""} if name == "model" else {}
        with pytest.raises(WeightsError, match=message):
            save_flat(tmp_path / name, {}, metadata={}, extra_files=extras)
    assert (tmp_path / "file").read_text() == "mine"
    assert os.listdir(tmp_path / "model") == ["graph.json"]
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]


def test_without_a_lock_nothing_of_others_is_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    others = f".blox-{'0' * 16}.graph.json"
    (tmp_path / others).write_text("being written")
    monkeypatch.setattr(fcntl, "flock", refuse)
    save(tmp_path, "old")
    assert (tmp_path / others).exists()
    monkeypatch.undo()
    save(tmp_path, "new")
    assert not (tmp_path / others).exists()
    assert held(tmp_path) == "new"
