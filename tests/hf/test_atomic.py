"""A checkpoint is replaced whole, with the folder of its pooling, and is on the disk."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from hf.checkpoints import imported

import blox as bx
from blox.weights import commit, finish

GRAPH, PARAMS = imported()
FILES = [
    "1_Pooling/config.json",
    "config.json",
    "model.safetensors",
    "modules.json",
    "sentence_bert_config.json",
]


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def other() -> dict[str, Any]:
    more: dict[str, Any] = jax.tree.map(lambda a: np.asarray(a) + 1, PARAMS)
    return more


def test_all_that_is_written_is_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: set[tuple[int, int]] = set()

    def fsync(descriptor: int) -> None:
        status = os.fstat(descriptor)
        synced.add((status.st_dev, status.st_ino))

    monkeypatch.setattr(os, "fsync", fsync)
    bx.to_hf(tmp_path / "m", GRAPH, PARAMS, max_shard_size=10_000)
    written = [tmp_path / "m", *(tmp_path / "m").rglob("*")]
    assert len(written) > 8
    for path in written:
        status = path.stat()
        assert stat.S_ISDIR(status.st_mode) or status.st_size
        assert (status.st_dev, status.st_ino) in synced, path


def test_an_interrupted_export_is_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bx.to_hf(tmp_path, GRAPH, PARAMS)
    assert files(tmp_path) == FILES
    (tmp_path / "tokenizer.json").write_text("mine")
    (tmp_path / "1_Pooling" / "notes.md").write_text("mine")
    with monkeypatch.context() as patch:
        patch.setattr(commit, "complete", lambda folder: False)
        bx.to_hf(tmp_path, GRAPH, other())
    with pytest.warns(UserWarning, match="a save that was interrupted"):
        _, params = bx.from_hf(tmp_path)
    for found, expected in zip(
        jax.tree.leaves(params), jax.tree.leaves(other()), strict=True
    ):
        np.testing.assert_array_equal(found, expected)
    assert finish(tmp_path)
    assert files(tmp_path) == sorted([*FILES, "1_Pooling/notes.md", "tokenizer.json"])
    assert (tmp_path / "tokenizer.json").read_text() == "mine"


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_failing_disk_leaves_the_old_one(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bx.to_hf(tmp_path, GRAPH, PARAMS)
    before = {name: (tmp_path / name).read_bytes() for name in FILES}

    def fail(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(bx.WeightsError, match="No space left"):
            bx.to_hf(tmp_path, GRAPH, other())
    assert files(tmp_path) == FILES
    assert {name: (tmp_path / name).read_bytes() for name in FILES} == before


def test_layers_are_taken_apart_one_at_a_time(tmp_path: Path) -> None:
    """No second model stands in memory while the first is written."""
    from blox.importers.hf.exporting import model_of
    from blox.io.save import check_params
    from blox.mapping.back import Returned
    from blox.mapping.plan import make_plan

    arrays = check_params(GRAPH, PARAMS)
    plan = make_plan(GRAPH.program().leaves(), model_of(GRAPH).rules(GRAPH))
    made = Returned(plan, arrays)
    assert len(made) == len(plan.moves) > len(arrays)
    for move in plan.moves:
        (source,), (target,) = move.sources, move.targets
        assert np.shares_memory(made[source.name], np.asarray(arrays[target.name]))
