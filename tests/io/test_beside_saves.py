"""A reader beside processes that save sees one of their models, whole."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from endless_saves import model

import blox as bx
from blox.io import load as loading
from blox.io.match import fit
from blox.weights import load_flat, read_headers
from blox.weights.folder import Folder, read_folder

TESTS = Path(__file__).parents[1]


@contextmanager
def savers(folder: Path, count: int) -> Iterator[None]:
    """Processes that save into `folder` all the time."""
    script = TESTS / "endless_saves.py"
    paths = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    running = [
        subprocess.Popen(
            [sys.executable, script, folder, str(number)],
            env={**os.environ, "PYTHONPATH": paths},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(count)
    ]
    try:
        for one in running:
            assert one.stdout
            assert one.stdout.readline() == "ready\n"
        yield
    finally:
        last = [one.communicate(timeout=60)[0] for one in running]
    for number, text in enumerate(last):
        assert int(text) > number + 2, "saved once only"
    assert [one.returncode for one in running] == [0] * count


def load_whole(folder: Path, *, mmap: bool) -> int:
    """The number of the model that is loaded; fails on a mixture."""
    graph, params = bx.load(folder, mmap=mmap, strict=True)
    number: int = graph.plain()["metadata"]["extra"]["number"]
    leaves = jax.tree.leaves(params)
    assert len(leaves) == 20 * (3 + number % 5)
    assert all((np.asarray(leaf) == number).all() for leaf in leaves)
    return number


def test_two_savers_and_a_reader(tmp_path: Path) -> None:
    found = set()
    with savers(tmp_path, 2):
        for turn in range(1000):
            found.add(load_whole(tmp_path, mmap=turn % 2 == 0))
            if len(found) > 5:
                break
    assert len(found) > 5
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]


@pytest.mark.slow
def test_two_savers_and_a_reader_for_a_minute(tmp_path: Path) -> None:
    end = time.monotonic() + 60
    found, loads = set(), 0
    with savers(tmp_path, 2):
        while time.monotonic() < end:
            found.add(load_whole(tmp_path, mmap=loads % 2 == 0))
            assert bx.verify(tmp_path).errors == []
            loads += 1
    print(f"{loads} loads of {len(found)} saves")
    assert len(found) > 20


def test_a_folder_that_changes_all_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader gives up, in a line, rather than return a mixture."""
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    (tmp_path / "graph.json").write_text("{}")

    def read(folder: Folder) -> None:
        folder.open("graph.json")
        (tmp_path / "new").write_text("{}")
        (tmp_path / "new").replace(tmp_path / "graph.json")

    with pytest.raises(bx.WeightsError, match="found that they change; wait for the"):
        read_folder(tmp_path, read)


@pytest.mark.parametrize("limit", [2_000, 300])
def test_a_save_between_headers_and_data(
    limit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few files stay open; where there are many the whole load is repeated."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    bx.save(tmp_path, *model(4), max_shard_size=limit)
    reads = 0

    def slow(*args: Any, **options: Any) -> Any:
        nonlocal reads
        reads += 1
        if reads == 1:
            bx.save(tmp_path, *model(5), max_shard_size=limit)
        return fit(*args, **options)

    monkeypatch.setattr(loading, "fit", slow)
    assert load_whole(tmp_path, mmap=True) == (4 if limit == 2_000 else 5)
    assert reads == (1 if limit == 2_000 else 2)


def test_headers_of_files_that_were_replaced(tmp_path: Path) -> None:
    """Their data is still that of the headers, or refused."""
    bx.save(tmp_path, *model(4), max_shard_size=2_000)
    headers = read_headers(tmp_path)
    bx.save(tmp_path, *model(5))
    for array in load_flat(headers, mmap=False).values():
        assert (np.asarray(array) == 4).all()


def test_descriptors_are_given_back(tmp_path: Path) -> None:
    bx.save(tmp_path, *model(4), max_shard_size=2_000)
    bx.load(tmp_path)
    before = len(os.listdir("/dev/fd"))
    graph, params = bx.load(tmp_path)
    assert len(os.listdir("/dev/fd")) == before
    with pytest.raises(bx.WeightsError):
        bx.load(tmp_path, dtype="int8")
    bx.validate(tmp_path)
    bx.verify(tmp_path)
    assert len(os.listdir("/dev/fd")) == before
    assert load_whole(tmp_path, mmap=True) == 4
    del graph, params
