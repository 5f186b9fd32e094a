"""Folders and files that hold no such model: `load_params` refuses them as `bx.load` does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from generator.array_cases import (
    assert_same,
    file_of,
    flattened,
    graph_of,
    params_of,
)
from safetensors.flax import save_file

import blox as bx


def test_wide_numbers_are_refused_without_x64(tmp_path: Path) -> None:
    flat = {k: np.asarray(v) for k, v in flattened(params_of("plain"))}
    flat["a.bias"] = flat["a.bias"].astype(np.float64)
    from safetensors.numpy import save_file as save

    save(flat, tmp_path / "params.safetensors")
    assert not assert_same("plain", tmp_path)
    with jax.enable_x64(True):
        assert file_of("plain")["load_params"](tmp_path)["a"]["bias"].dtype == "float64"


def test_folders_that_hold_no_model_or_two(tmp_path: Path) -> None:
    load = file_of("scanned")["load_params"]
    with pytest.raises(
        FileNotFoundError, match=r"expected params\.safetensors or shards, found \[\]"
    ):
        load(tmp_path / "nowhere")
    assert not assert_same("scanned", tmp_path)
    bx.save(tmp_path, graph_of("scanned"), params_of("scanned"), max_shard_size=100)
    shards = sorted(tmp_path.glob("*.safetensors"))
    assert len(shards) > 1
    (tmp_path / "params.safetensors").write_bytes(shards[0].read_bytes())
    assert not assert_same("scanned", tmp_path)
    (tmp_path / "params.safetensors").unlink()
    (tmp_path / "params-stale.safetensors").write_bytes(shards[0].read_bytes())
    assert assert_same("scanned", tmp_path)  # the index doesn't name it
    (tmp_path / ".blox-commit.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match=r"found \[.*'\.blox-commit\.json'\]"):
        load(tmp_path)
    (tmp_path / ".blox-commit.json").unlink()
    index = tmp_path / "params.safetensors.index.json"
    data = json.loads(index.read_text())
    names = list(data["weight_map"])
    for change in (
        {names[0]: data["weight_map"][names[-1]]},
        {"other": data["weight_map"][names[0]]},
        {names[0]: "../params.safetensors"},
    ):
        index.write_text(json.dumps(data | {"weight_map": data["weight_map"] | change}))
        assert not assert_same("scanned", tmp_path)
    pairs = [[*pair] for pair in data["weight_map"].items()]
    others: tuple[Any, ...] = ({}, [], 3, "x", {"weight_map": 3}, None, pairs)
    for other in (*others, {"weight_map": {"a": 3}}, {"weight_map": pairs}):
        index.write_text(json.dumps(other))
        assert not assert_same("scanned", tmp_path)
    for text in (b"", b"{", b"\xff", b'{"weight_map": {"a": ["b"]}}'):
        index.write_bytes(text)
        with pytest.raises(ValueError, match=r"index\.json: expected a weight_map"):
            load(tmp_path)
        assert not assert_same("scanned", tmp_path)


def test_an_index_with_a_key_twice_or_that_is_too_deep_is_refused(
    tmp_path: Path,
) -> None:
    bx.save(tmp_path, graph_of("scanned"), params_of("scanned"), max_shard_size=100)
    index = tmp_path / "params.safetensors.index.json"
    text = index.read_text()
    name, shard = next(iter(json.loads(text)["weight_map"].items()))
    assert assert_same("scanned", tmp_path)
    for old, new in (
        ('"weight_map": {', f'"weight_map": {{"{name}": "{shard}", '),
        ('"weight_map": {', f'"weight_map": {{"{name}": "other", '),
        ('"weight_map": {', '"weight_map": {}, "weight_map": {'),
        ('"weight_map": {', '"weight_map": 3, "weight_map": {'),
    ):
        index.write_text(text.replace(old, new))
        assert index.read_text() != text
        assert not assert_same("scanned", tmp_path)
    deep = "[" * 100_000
    for text in (deep, deep + "]" * 100_000, f'{{"weight_map": {deep}'):
        index.write_text(text)
        assert not assert_same("scanned", tmp_path)
        with pytest.raises(ValueError, match=r"index\.json: expected a weight_map"):
            file_of("scanned")["load_params"](tmp_path)


def test_all_differences_are_reported_at_once(tmp_path: Path) -> None:
    flat = dict(flattened(params_of("scanned")))
    del flat["h.norm.bias"]
    flat["h.up.kernel"] = flat["h.up.kernel"][1:]
    flat["h.up.bias"] = flat["h.up.bias"].astype("int32")
    flat["more"] = jnp.zeros(2)
    save_file(flat, tmp_path / "params.safetensors")
    with pytest.raises(ValueError, match=r"^h\.up\.kernel") as error:
        file_of("scanned")["load_params"](tmp_path)
    assert str(error.value).split("; ") == [
        "h.up.kernel: expected float (3, 4, 4), found float32 (2, 4, 4)",
        "h.up.bias: expected float (3, 4), found int32 (3, 4)",
        "h.norm.bias: expected float (3, 4), found no array",
        "more: expected no such array",
    ]
