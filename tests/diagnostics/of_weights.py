"""Calls that yield the codes of weights, and of their folder."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from diagnostics.making import MODEL, PARAMS, X, in_turn, save, saved
from sample_specs import spec

import blox as bx
from blox.weights import commit, load_flat, loading, read_headers, save_flat


def edit(name: str, change: Callable[[Any], Any]) -> Callable[[Path], Any]:
    def write(path: Path) -> None:
        data = json.loads((path / name).read_text())
        change(data)
        (path / name).write_text(json.dumps(data))

    return write


def link(path: Path) -> None:
    weights = path / "params.safetensors"
    shutil.move(weights, path.parent / "elsewhere.safetensors")
    weights.symlink_to(path.parent / "elsewhere.safetensors")


def surplus(path: Path) -> None:
    bx.save(path, MODEL, PARAMS)
    headers = read_headers(path)
    arrays = dict(zip(("bias", "kernel"), load_flat(headers).values(), strict=True))
    more = {f"n.{k}": np.asarray(v) for k, v in arrays.items()} | {"m": np.ones(2)}
    save_flat(path, more, metadata={}, extra_files={})
    (path / "graph.json").write_text(json.dumps(MODEL.plain()))
    bx.load(path)


def shortened(path: Path) -> None:
    bx.save(path, MODEL, PARAMS)
    headers = read_headers(path)
    weights = path / "params.safetensors"
    os.truncate(weights, weights.stat().st_size - 8)
    load_flat(headers)


def wide(path: Path) -> None:
    fixed = spec({"n": {"op": "buffer", "shape": [2], "dtype": "int64"}})
    save_flat(path, {"n": np.ones(2, np.int64)}, metadata={})
    (path / "graph.json").write_text(json.dumps(fixed))
    bx.load(path)


def bools(path: Path) -> None:
    save_flat(path, {"a": np.ones(2, bool)}, metadata={})
    weights = path / "params.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x02")
    load_flat(read_headers(path))


def damaged(path: Path) -> Any:
    bx.save(path, MODEL, PARAMS)
    weights = path / "params.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    return bx.verify(path)


def full_disk(path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:

        def fail(*_: Any) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        patch.setattr(os, "fsync", fail)
        bx.save(path, MODEL, PARAMS)


def pending(path: Path) -> Any:
    bx.save(path, MODEL, PARAMS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commit, "complete", lambda folder: False)
        bx.save(path, MODEL, PARAMS)
    return bx.validate(path)


def no_memory(path: Path) -> None:
    bx.save(path, MODEL, PARAMS)
    with pytest.MonkeyPatch.context() as patch:

        def fail(*_: Any) -> None:
            raise MemoryError

        patch.setattr(loading, "aligned_bytes", fail)
        bx.load(path, mmap=False)


def big_endian(path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "byteorder", "big")
        bx.save(path, MODEL, PARAMS)


WEIGHTS: dict[str, Callable[[Path], Any]] = {
    "weights-missing": lambda path: bx.save(path, MODEL, {"n": {"bias": X[0, :2]}}),
    "weights-unexpected": surplus,
    "weights-shape": lambda path: bx.save(
        path, MODEL, {"n": {**PARAMS["n"], "bias": jnp.ones(3)}}
    ),
    "weights-dtype": lambda path: bx.save(
        path, MODEL, {"n": {**PARAMS["n"], "bias": jnp.ones(2, "int32")}}
    ),
    "weights-kind": lambda path: bx.save(
        path, MODEL, {"n": {**PARAMS["n"], "bias": "text"}}
    ),
    "weights-value": bools,
    "weights-x64": wide,
    "weights-digest": in_turn(
        save, edit("graph.json", lambda g: g.update(name="other")), bx.validate
    ),
    "weights-checksum": damaged,
    "weights-file": saved(lambda path: (path / "params.safetensors").unlink()),
    "weights-link": saved(link),
    "weights-size": in_turn(
        lambda path: path.joinpath("params.safetensors.index.json").touch(),
        lambda path: os.truncate(path / "params.safetensors.index.json", 2**30),
        read_headers,
    ),
    "weights-changed": shortened,
    "weights-header": saved(
        lambda path: (path / "params.safetensors").write_bytes(b"\xff" * 8)
    ),
    "weights-index": saved(
        edit(
            "params.safetensors.index.json",
            lambda index: index.update(weight_map={"a": "nothing.safetensors"}),
        ),
        max_shard_size=1,
    ),
    "weights-log": saved(lambda path: (path / ".blox-commit.json").write_text("{}")),
    "weights-pending": pending,
    "weights-memory": no_memory,
    "weights-name": lambda path: save_flat(path, {"a\nb": X}, metadata={}),
    "weights-metadata": lambda path: save_flat(path, {}, metadata={"a": "\ud800"}),
    "weights-target": in_turn(
        lambda path: path.joinpath("file.txt").touch(),
        lambda path: save(path / "file.txt"),
    ),
    "weights-write": full_disk,
    "weights-host": big_endian,
}
