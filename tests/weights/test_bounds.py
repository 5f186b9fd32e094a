"""What a weight file asks for is counted before room is made for it."""

from __future__ import annotations

import json
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import blox as bx
from blox.weights import (
    LeafSpec,
    compare,
    json_text,
    load_flat,
    read_headers,
    reading,
    save_flat,
)
from blox.weights import header as header_module

ENTRY = '{"dtype":"I8","shape":[0],"data_offsets":[0,0]}'


def peak_of(call: Callable[[], Any]) -> int:
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def write(path: Path, header: str) -> None:
    text = header.encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limits, smaller, so that a test of them is."""
    monkeypatch.setattr(json_text, "MAX_ITEMS", 4_000)
    for module in (header_module, reading):
        monkeypatch.setattr(module, "MAX_TENSORS", 500)


JUNK = {
    "empty objects": '{"a":[' + "{}," * 4_100 + "{}]}",
    "empty lists": '{"a":' + "[[]," * 2_100 + "1" + "]" * 2_100 + "}",
    "numbers": '{"a":[' + "1," * 4_100 + "1]}",
    "texts": '{"a":[' + '"",' * 4_100 + '""]}',
    "one object of many": "{" + ",".join(f'"{i}":{{}}' for i in range(2_100)) + "}",
    "a text that does not end": '{"a":"' + "," * 4_100,
}


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("junk", JUNK)
@pytest.mark.parametrize(
    "name", ["params.safetensors", "params.safetensors.index.json"]
)
def test_items_are_counted_before_they_are_parsed(
    junk: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / name
    if name.endswith("json"):
        path.write_text(JUNK[junk])
    else:
        write(path, JUNK[junk])
    monkeypatch.setattr(json, "loads", lambda *a, **k: pytest.fail("was parsed"))
    with pytest.raises(
        bx.WeightsError, match="expected at most 4000 items, found more"
    ):
        read_headers(path)


@pytest.mark.usefixtures("few")
def test_punctuation_in_texts_does_not_count(tmp_path: Path) -> None:
    metadata = {"spec": ',[{"\\' * 4_000}
    save_flat(tmp_path, {}, metadata=metadata)
    assert read_headers(tmp_path).metadata == metadata


def test_counting_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "params.safetensors"
    write(path, '{"a":' + '"",' * 2_000_000)

    def read() -> None:
        with pytest.raises(bx.WeightsError, match="expected JSON"):
            read_headers(path)

    assert peak_of(read) < 4 * 6_000_000


@pytest.mark.usefixtures("few")
def test_tensors_are_counted_over_all_files(tmp_path: Path) -> None:
    weight_map: dict[str, str] = {}
    for shard in range(3):
        names = [f"{shard}.{i}" for i in range(200)]
        name = f"params-{shard + 1:05d}-of-00003.safetensors"
        write(tmp_path / name, "{" + ",".join(f'"{n}":{ENTRY}' for n in names) + "}")
        weight_map |= dict.fromkeys(names, name)
    index = {"metadata": {"total_size": 0}, "weight_map": weight_map}
    (tmp_path / "params.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(bx.WeightsError) as caught:
        read_headers(tmp_path)
    text = (
        "params-00003-of-00003.safetensors: expected at most 500 tensors in all, found"
    )
    assert text in str(caught.value)


def test_headers_of_all_shards_together_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tensors = {f"h.{i}": np.zeros(4, np.float32) for i in range(9)}
    save_flat(tmp_path, tensors, metadata={"a": "b" * 500}, max_shard_size=16)
    assert len(read_headers(tmp_path).tensors) == 9
    monkeypatch.setattr(reading, "MAX_JSON_BYTES", 5_000)
    with pytest.raises(
        bx.WeightsError, match=r"00009-of-.* headers of at most .* in all"
    ):
        read_headers(tmp_path)


@pytest.mark.parametrize(
    ("limit", "value", "shard", "message"),
    [
        ("MAX_TENSORS", 5, None, "at most 5 tensors, found 6"),
        ("MAX_ITEMS", 30, None, "headers of at most 30 items, found more"),
        ("MAX_JSON_BYTES", 300, None, "headers of at most 300 bytes, found 4"),
        ("MAX_JSON_BYTES", 300, 1, "headers of at most 300 bytes, found 3"),
        ("MAX_JSON_BYTES", 1000, 1, "an index of at most 1000 bytes, found 1"),
    ],
)
def test_what_is_refused_is_not_written(
    limit: str,
    value: int,
    shard: int | None,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from blox.weights import layout

    monkeypatch.setattr(layout, limit, value)
    tensors = {f"h.{i}": np.zeros(1, np.int8) for i in range(6)}
    with pytest.raises(bx.WeightsError, match=message):
        save_flat(tmp_path, tensors, metadata={}, max_shard_size=shard)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("case", ["missing tensors", "missing shards", "surplus"])
def test_a_hundred_differences_of_an_index(case: str, tmp_path: Path) -> None:
    names = [f"h.{i}" for i in range(1000)]
    shard = "params-00001-of-00001.safetensors"
    held = names if case == "surplus" else names[:1]
    write(tmp_path / shard, "{" + ",".join(f'"{n}":{ENTRY}' for n in held) + "}")
    weight_map = dict.fromkeys(names[:1] if case == "surplus" else names, shard)
    if case == "missing shards":
        weight_map = {n: f"{n}.safetensors" for n in names}
    index = {"metadata": {"total_size": 0}, "weight_map": weight_map}
    (tmp_path / "params.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(bx.WeightsError) as caught:
        read_headers(tmp_path)
    assert len(caught.value.diagnostics) == 101
    if case != "missing shards":  # after a hundred no other file is opened
        assert str(caught.value.diagnostics[-1]) == "and 899 more"


def test_a_hundred_differences_of_a_model(tmp_path: Path) -> None:
    expected = {f"a.{i}": LeafSpec((), "float") for i in range(5_000)}
    save_flat(tmp_path, {f"b.{i}": np.int8(0) for i in range(300)}, metadata={})
    found = read_headers(tmp_path)
    assert str(compare(found, expected)[-1]) == "and 5200 more"
    assert peak_of(lambda: compare(found, expected)) < 1_500_000
    with pytest.raises(bx.WeightsError) as caught:
        load_flat(found, expected)
    assert str(caught.value.diagnostics[-1]) == "and 4900 more"
    bad: dict[str, Any] = {f"{i}\n": np.int8(0) for i in range(300)}
    with pytest.raises(bx.WeightsError) as caught:
        save_flat(tmp_path, bad, metadata={})
    assert str(caught.value.diagnostics[-1]) == "and 200 more"
    wide = {f"c.{i}": np.float64(0) for i in range(300)}
    save_flat(tmp_path, wide, metadata={})
    with pytest.raises(bx.WeightsError) as caught:
        load_flat(read_headers(tmp_path))
    assert str(caught.value.diagnostics[-1]) == "and 200 more"


def test_a_sparse_model_of_a_terabyte(tmp_path: Path) -> None:
    """A file with a hole is mapped, not read; a copy of it is refused in a line."""
    size = 1 << 40
    path = tmp_path / "params.safetensors"
    write(
        path,
        f'{{"a":{{"dtype":"F32","shape":[{size // 4}],"data_offsets":[0,{size}]}}}}',
    )
    os.truncate(path, path.stat().st_size + size)
    headers = read_headers(tmp_path)
    assert headers.nbytes == size
    from blox.weights.loading import load_arrays

    array = load_arrays(headers)["a"]
    assert float(array[0]) == float(array[-1]) == 0.0
    (tmp_path / "graph.json").write_text(
        json.dumps(
            {
                "format": "blox/1",
                "name": "m",
                "functions": {
                    "main": {
                        "nodes": {"a": {"op": "param", "shape": [size // 4]}},
                        "outputs": {"y": "a"},
                    }
                },
            }
        )
    )
    assert bx.validate(tmp_path, shapes=False).ok
    ways: list[dict[str, Any]] = [{"mmap": False}, {"dtype": "bfloat16"}]
    for options in ways:
        with pytest.raises(bx.WeightsError, match="expected memory for what is to be"):
            bx.load(tmp_path, **options)
