"""Written files are read by safetensors, aligned, deterministic, and read back."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import safetensors
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save as save_theirs

from blox.schema.diagnostics import WeightsError
from blox.weights import (
    dump_flat,
    locate,
    read_headers,
    save_flat,
    verify,
)
from blox.weights.dtypes import ITEMSIZE, SAFETENSORS
from blox.weights.files import Source
from blox.weights.header import read_header, valid_name
from blox.weights.layout import parse_size

Array = np.ndarray[Any, Any]


def dtype_of(name: str) -> np.dtype[Any]:
    return np.dtype(getattr(ml_dtypes, name, None) or name)


def some(name: str, shape: tuple[int, ...], seed: int = 0) -> Array:
    """Random bits of a dtype, so NaNs, infinities and negative zeros too."""
    draw = np.random.default_rng(seed)
    dtype = dtype_of(name)
    if name == "bool":
        return draw.integers(0, 2, shape).astype(bool)
    count = math.prod(shape) * dtype.itemsize
    return draw.integers(0, 256, count, np.uint8).view(dtype).reshape(shape)


def stored(path: Path) -> dict[str, Array]:
    """The tensors of a file by our header alone, without JAX."""
    data = path.read_bytes()
    return {
        info.name: np.frombuffer(
            data[info.start : info.stop], dtype_of(info.dtype)
        ).reshape(info.shape)
        for info in read_headers(path).tensors.values()
    }


def same_bits(a: Array, b: Array) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


arrays = st.dictionaries(
    st.text(min_size=1, max_size=12).filter(valid_name),
    st.builds(
        some,
        st.sampled_from(sorted(ITEMSIZE)),
        st.lists(st.integers(0, 9), max_size=3).map(tuple),
        st.integers(0, 9),
    ),
    max_size=8,
)


@given(arrays, st.dictionaries(st.sampled_from(["graph", "é", "x"]), st.text()))
def test_any_file_is_sound_aligned_and_deterministic(
    tmp_path_factory: pytest.TempPathFactory,
    tensors: dict[str, Array],
    metadata: dict[str, str],
) -> None:
    path = tmp_path_factory.mktemp("any") / "a.safetensors"
    save_flat(path, tensors, metadata=metadata)
    headers = read_headers(path)
    assert headers.metadata == metadata
    assert read_header(Source(path)).data_start % 64 == 0
    found = stored(path)
    assert found.keys() == tensors.keys()
    assert all(same_bits(found[name], tensors[name]) for name in tensors)
    for info in headers.tensors.values():
        aligned = 64 if info.nbytes % 64 == 0 else ITEMSIZE[info.dtype]
        assert info.start % aligned == 0
    backwards = dict(reversed(tensors.items()))
    assert dump_flat(backwards, metadata=metadata) == path.read_bytes()
    assert verify(headers) == []


@pytest.mark.parametrize("name", sorted(ITEMSIZE))
def test_every_dtype_against_safetensors(name: str, tmp_path: Path) -> None:
    tensors = {"a": some(name, (3, 5)), "b": some(name, ()), "c": some(name, (0, 2))}
    path = tmp_path / "a.safetensors"
    save_flat(path, tensors, metadata={"x": "y"})
    theirs = dict(safetensors.deserialize(path.read_bytes()))  # type: ignore[no-untyped-call]
    assert theirs.keys() == tensors.keys()
    for key, entry in theirs.items():
        assert SAFETENSORS[entry["dtype"]][0] == name
        assert tuple(entry["shape"]) == tensors[key].shape
        assert bytes(entry["data"]) == tensors[key].tobytes()
    with safetensors.safe_open(path, framework="np") as file:
        assert file.metadata()["x"] == "y"
    path.write_bytes(save_theirs(tensors))
    assert all(same_bits(stored(path)[key], tensors[key]) for key in tensors)


def test_layout_of_a_small_file() -> None:
    """The bytes themselves: written once for ever."""
    data = dump_flat(
        {
            "odd": np.array([1, 2, 3], np.int8),
            "b": np.arange(16, dtype=np.float32),
            "half": np.array([1.0], np.float16),
        },
        metadata={"graph": "abc"},
    )
    length = int.from_bytes(data[:8], "little")
    assert (8 + length) % 64 == 0
    header = json.loads(data[8 : 8 + length])
    assert header == {
        "__metadata__": {
            "data_sha256": header["__metadata__"]["data_sha256"],
            "graph": "abc",
        },
        "b": {"dtype": "F32", "shape": [16], "data_offsets": [0, 64]},
        "half": {"dtype": "F16", "shape": [1], "data_offsets": [64, 66]},
        "odd": {"dtype": "I8", "shape": [3], "data_offsets": [66, 69]},
    }
    assert data[8 + length :] == (
        np.arange(16, dtype="<f4").tobytes() + b"\x00\x3c" + b"\x01\x02\x03"
    )


def test_memory_layouts_that_are_not_the_files(tmp_path: Path) -> None:
    square = np.arange(12, dtype=np.float32).reshape(3, 4)
    tensors = {
        "transposed": square.T,
        "strided": square[::2, ::-1],
        "big-endian": square.astype(">f4"),
        "read-only": np.broadcast_to(np.float32(2), (3,)),
    }
    path = tmp_path / "a.safetensors"
    save_flat(path, tensors, metadata={})
    for name, array in stored(path).items():
        np.testing.assert_array_equal(array, tensors[name])
        assert array.dtype == np.float32


def test_shards_and_index_follow_the_hub(tmp_path: Path) -> None:
    tensors = {f"h.{i}": np.full(100, i, np.float32) for i in range(5)}
    tensors["huge"] = np.zeros(1000, np.float32)
    save_flat(tmp_path, tensors, metadata={"graph": "1"}, max_shard_size="1KB")
    shards = [f"params-0000{i}-of-00004.safetensors" for i in (1, 2, 3, 4)]
    assert sorted(os.listdir(tmp_path)) == [*shards, "params.safetensors.index.json"]
    index = json.loads((tmp_path / "params.safetensors.index.json").read_text())
    assert index["metadata"]["total_size"] == 5 * 400 + 4000
    assert index["weight_map"] == {
        "h.0": shards[0],
        "h.1": shards[0],
        "h.2": shards[1],
        "h.3": shards[1],
        "h.4": shards[2],
        "huge": shards[3],
    }
    headers = read_headers(tmp_path)
    assert headers.metadata == {"graph": "1"}
    assert [file.name for file in headers.files] == shards
    assert headers.tensors.keys() == tensors.keys()
    assert headers.nbytes == 6000
    assert verify(headers) == []


def test_shard_counts_that_change(tmp_path: Path) -> None:
    tensors = {f"h.{i}": np.full(100, i, np.float32) for i in range(6)}
    for size, files in ((400, 7), (None, 1), ("800B", None), (800, 4), (10**6, 1)):
        if files is None:
            with pytest.raises(WeightsError, match="a positive number of bytes"):
                save_flat(tmp_path, tensors, metadata={}, max_shard_size=size)
            continue
        save_flat(tmp_path, tensors, metadata={}, max_shard_size=size)
        assert len(os.listdir(tmp_path)) == files
        assert read_headers(tmp_path).tensors.keys() == tensors.keys()


def test_extra_files_and_removals(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    first = {"graph.json": b"{}", "examples.safetensors": b"e"}
    save_flat(tmp_path, {}, metadata={}, extra_files=first)
    second = {"graph.json": b"[]"}
    gone = ["examples.safetensors", "graph.msgpack"]
    save_flat(tmp_path, {}, metadata={}, extra_files=second, remove=gone)
    assert sorted(os.listdir(tmp_path)) == [
        "README.md",
        "graph.json",
        "params.safetensors",
    ]
    assert (tmp_path / "graph.json").read_bytes() == b"[]"
    assert (tmp_path / "README.md").read_text() == "mine"


@pytest.mark.parametrize(
    "name",
    [
        *("../a", "a/b", "", ".", "..", ".blox-commit.json", "C:a", "README.md"),
        *("config.json", "graph.json.bak", "Graph.json", "graph.json\n", "graph.yaml"),
        *("source", "source/", "source/a.py", "source/../a.json", "source/a/b.json"),
        *("source/.json", "source/\u00e9.json", "/source/a.json", "other/a.json"),
    ],
)
def test_names_that_are_not_of_a_model(name: str, tmp_path: Path) -> None:
    cases: list[dict[str, Any]] = [{"extra_files": {name: b""}}, {"remove": [name]}]
    for arguments in cases:
        with pytest.raises(WeightsError, match="expected the name of a"):
            save_flat(tmp_path / "m", {}, metadata={}, **arguments)
    assert os.listdir(tmp_path / "m") == []


def test_files_of_the_source(tmp_path: Path) -> None:
    files = {f"source/a.{end}": end.encode() for end in ("json", "txt", "model", "md")}
    save_flat(tmp_path, {}, metadata={}, extra_files=files)
    for name, data in files.items():
        assert (tmp_path / name).read_bytes() == data
        assert locate(tmp_path, name) == tmp_path / name
    # They are not ours alone: a model without them leaves them.
    save_flat(tmp_path, {}, metadata={})
    assert sorted(os.listdir(tmp_path)) == ["params.safetensors", "source"]
    assert len(os.listdir(tmp_path / "source")) == 4
    with pytest.raises(WeightsError, match="the name of an older model's file"):
        save_flat(tmp_path, {}, metadata={}, remove=["source/a.md"])


def test_a_source_that_leads_elsewhere_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "source").symlink_to(tmp_path / "home")
    with pytest.raises(WeightsError, match="source: expected a folder of the model"):
        save_flat(tmp_path / "model", {}, metadata={}, extra_files={"source/a.md": b""})
    assert os.listdir(tmp_path / "home") == []
    assert os.listdir(tmp_path / "model") == ["source"]


def test_foreign_files(tmp_path: Path) -> None:
    """An index as transformers writes it: its stem, a total_size that counts in another way."""
    a, b = {"a": np.ones(3, np.float32)}, {"b": np.ones(2, np.float16)}
    format_only = {"format": "pt"}
    (tmp_path / "model-00001-of-00002.safetensors").write_bytes(
        save_theirs(a, format_only)
    )
    (tmp_path / "model-00002-of-00002.safetensors").write_bytes(save_theirs(b))
    index = {
        "metadata": {"total_size": 17.5, "total_parameters": 5},
        "weight_map": {
            "a": "model-00001-of-00002.safetensors",
            "b": "model-00002-of-00002.safetensors",
        },
    }
    path = tmp_path / "model.safetensors.index.json"
    path.write_text(json.dumps(index))
    for headers in (read_headers(tmp_path, stem="model"), read_headers(path)):
        assert headers.tensors.keys() == {"a", "b"}
        assert headers.metadata == format_only
        assert [finding.severity for finding in verify(headers)] == ["warning"] * 2
    single = tmp_path / "model.safetensors"
    single.write_bytes(save_theirs(a))
    assert read_headers(single).tensors.keys() == {"a"}
    with pytest.raises(WeightsError, match="expected one set of weights"):
        read_headers(tmp_path, stem="model")


def test_verify_finds_one_changed_bit(tmp_path: Path) -> None:
    tensors = {f"h.{i}": np.ones(100, np.float32) for i in range(4)}
    for size in (None, 800):
        save_flat(tmp_path, tensors, metadata={}, max_shard_size=size)
        file = read_headers(tmp_path).files[-1]
        data = bytearray(file.read_bytes())
        data[-1] ^= 1
        file.write_bytes(data)
        (finding,) = verify(read_headers(tmp_path))
        assert finding.code == "weights-checksum"
        assert finding.path == file.name


def test_what_cannot_be_stored_is_reported_together() -> None:
    import jax

    tensors: dict[str, Any] = {
        "key": jax.random.key(0),
        "list": [1.0],
        "number": 1.0,
        "object": np.array([None]),
        "text": np.array(["a"]),
        "int4": np.zeros(2, ml_dtypes.int4),
        "line\nbreak": np.zeros(2),
        "": np.zeros(2),
        "__metadata__": np.zeros(2),
    }
    with pytest.raises(WeightsError) as caught:
        dump_flat(tensors, metadata={})
    assert len(caught.value.diagnostics) == len(tensors)
    assert "jax.random.key_data(key)" in str(caught.value.diagnostics[0])


@pytest.mark.parametrize(
    "metadata", [{"a\n": ""}, {"a": 1}, {"a": "\ud800"}, {"data_sha256": ""}, {"": ""}]
)
def test_metadata_that_cannot_be_stored(metadata: dict[str, Any]) -> None:
    with pytest.raises(WeightsError, match="metadata"):
        dump_flat({}, metadata=metadata)


def test_metadata_may_hold_any_text(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    nasty = {"spec": '{"a": "\x1b[31m\n\\u0000 ☃ {{ }} \'\'\' """"}'}
    save_flat(path, {}, metadata=nasty)
    assert read_headers(path).metadata == nasty


@pytest.mark.parametrize(
    ("size", "expected"),
    [(None, None), (7, 7), ("7", 7), ("5GB", 5 * 10**9), ("2 MiB", 2**21)],
)
def test_sizes(size: int | str | None, expected: int | None) -> None:
    assert parse_size(size) == expected


@pytest.mark.parametrize(
    "size", [0, -1, True, 1.5, "", "GB", "-1GB", "1e9", "5 apples"]
)
def test_sizes_that_are_none(size: Any) -> None:
    with pytest.raises(WeightsError, match="a positive number of bytes"):
        parse_size(size)


def test_neither_jax_nor_numpy_is_needed_for_headers(tmp_path: Path) -> None:
    save_flat(tmp_path, {"a": np.zeros(3)}, metadata={}, max_shard_size=8)
    script = (
        "import sys; from pathlib import Path; import blox.weights as w;"
        f"h = w.read_headers(Path({str(tmp_path)!r})); w.compare(h, {{}}); w.verify(h);"
        "w.save_flat(Path(sys.argv[1]), {}, metadata={});"
        "bad = {'jax', 'numpy', 'rich', 'safetensors'} & set(sys.modules);"
        "assert not bad, bad"
    )
    root = Path(__file__).parents[2]
    subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "new")],
        check=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )


def test_big_endian_hosts_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "byteorder", "big")
    with pytest.raises(WeightsError, match="little-endian host"):
        save_flat(tmp_path, {}, metadata={})
