"""Tensors of a file one by one: read, or as its pages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from blox.schema import WeightsError
from blox.weights import StoredTensors, read_headers, save_flat

ARRAYS = {
    "a": np.arange(6, dtype=np.float32).reshape(2, 3),
    "b": np.ones((), np.int32),
    "c": np.zeros((0, 2), np.float32),
}


@pytest.mark.parametrize("shards", [None, 20])
def test_both_ways_give_the_tensor(tmp_path: Path, shards: int | None) -> None:
    save_flat(tmp_path, ARRAYS, metadata={}, max_shard_size=shards)
    stored = StoredTensors(read_headers(tmp_path))
    assert {*stored} == {*ARRAYS}
    assert len(stored) == 3
    for name, wanted in ARRAYS.items():
        one = stored[name]
        assert (one.shape, one.dtype) == (wanted.shape, str(wanted.dtype))
        for found in (np.asarray(one), one.mapped()):
            assert found.dtype == wanted.dtype
            np.testing.assert_array_equal(found, wanted)
        assert np.asarray(one, np.float64).dtype == np.float64
    read = np.asarray(stored["a"])
    assert not np.shares_memory(read, np.asarray(stored["a"]))
    assert np.shares_memory(stored["a"].mapped(), stored["a"].mapped())


def test_another_file_is_refused(tmp_path: Path) -> None:
    save_flat(tmp_path, ARRAYS, metadata={})
    stored = StoredTensors(headers := read_headers(tmp_path))
    for source in headers.sources.values():
        source.release()
    (tmp_path / "params.safetensors").write_bytes(b"other")
    for read in (stored["a"].__array__, stored["a"].mapped):
        with pytest.raises(WeightsError):
            read()
