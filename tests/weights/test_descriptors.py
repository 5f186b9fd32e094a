"""A model of more shards than a process may have files open."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from blox.weights import load_arrays, read_headers, save_flat, verify

COUNT = 150


def open_in(folder: Path) -> int:
    """The number of descriptors of files of a folder."""
    files = {(s.st_dev, s.st_ino) for s in (f.stat() for f in folder.iterdir())}
    found = 0
    for name in os.listdir("/dev/fd"):
        with suppress(OSError):  # that of the listing itself is closed by now
            status = os.fstat(int(name))
            found += (status.st_dev, status.st_ino) in files
    return found


@pytest.fixture
def few_descriptors() -> Iterator[None]:
    resource = pytest.importorskip("resource", reason="POSIX's limits")
    old = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (COUNT - 20, old[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, old)


@pytest.mark.parametrize(("limit", "held"), [(64, 16), (1024, 64), (-1, 64)])
def test_files_that_stay_open(
    limit: int, held: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of few descriptors most are left to others: imports need some."""
    resource = pytest.importorskip("resource", reason="POSIX's limits")
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    tensors = {f"h.{i}": np.full(16, i, np.float32) for i in range(COUNT)}
    save_flat(tmp_path, tensors, metadata={}, max_shard_size=64)
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (limit, limit))
    headers = read_headers(tmp_path)
    # The index is one of them, and closed once it was read.
    assert open_in(tmp_path) == held - 1
    assert len(load_arrays(headers)) == COUNT


@pytest.mark.usefixtures("few_descriptors")
def test_more_shards_than_descriptors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    tensors = {f"h.{i}": np.full(16, i, np.float32) for i in range(COUNT)}
    save_flat(tmp_path, tensors, metadata={}, max_shard_size=64)
    assert len(os.listdir(tmp_path)) == COUNT + 1
    headers = read_headers(tmp_path)
    kept = len(os.listdir("/dev/fd"))
    loaded = load_arrays(headers)
    assert len(os.listdir("/dev/fd")) == kept, "maps hold no descriptors"
    for name, array in tensors.items():
        np.testing.assert_array_equal(loaded[name], array)
    assert verify(headers) == []
    save_flat(tmp_path, tensors, metadata={}, max_shard_size=128)
    assert len(os.listdir(tmp_path)) == COUNT // 2 + 1
