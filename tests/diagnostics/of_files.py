"""Calls that yield the codes of files, hubs and checkpoints."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from diagnostics.making import BASE, X, in_turn, save, saved
from hf.checkpoints import copy
from sample_specs import spec

import blox as bx
from blox.schema import Graph, from_bytes, registry
from blox.schema.fields import Tensor
from blox.schema.op import Op


def file(content: bytes | str) -> Callable[[Path], Any]:
    data = content if isinstance(content, bytes) else content.encode()
    return lambda path: from_bytes(data)


def fifo(path: Path) -> None:
    (path / "graph.json").unlink()
    os.mkfifo(path / "graph.json")


def doubled(x: Any) -> Any:
    return x + x


def untried(path: Path) -> Any:
    class Twice(Op):
        op: Literal["acme:twice"] = "acme:twice"
        x: Tensor

    body = {
        "inputs": {"x": {}},
        "nodes": {"n": {"op": "add", "a": "x", "b": "x"}},
        "outputs": {"out": "n"},
    }
    data = spec(
        {"n": {"op": "acme:twice", "x": "x"}},
        inputs={"x": {"shape": ["rows", "columns"], "dtype": "float"}},
        functions={"twice": body},
        dims={"rows": {"min": 2048}, "columns": {"min": 2049}},
        ops={"acme:twice": "twice"},
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "_REGISTERED", {})
        bx.register(Twice, doubled)
        bx.save(path, Graph.parse(data), {})
        return bx.verify(path)


def no_hub(path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "huggingface_hub", None)
        bx.load("hf://owner/name")


def unreachable_hub(path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:

        class Offline:
            @staticmethod
            def snapshot_download(*_: Any, **__: Any) -> None:
                raise OSError("offline")

        patch.setitem(sys.modules, "huggingface_hub", Offline)
        bx.load("hf://owner/name")


def hf(**config: Any) -> Callable[[Path], Any]:
    return lambda path: bx.from_hf(copy(path, config=lambda c: c.update(config)))


def changed_hf(change: Callable[[Any], Any]) -> Callable[[Path], Any]:
    def export(path: Path) -> None:
        found, params = bx.from_hf(copy(path / "in"), name="tiny")
        data = found.plain()
        change(data)
        bx.to_hf(path / "out", Graph.parse(data), params)

    return export


def other_norm(data: Any) -> None:
    data["functions"]["layer"]["nodes"]["output_norm"]["eps"] = 1e-3


def unknown_pooling(path: Path) -> None:
    folder = copy(path)
    (folder / "modules.json").write_text("[]")
    bx.from_hf(folder)


FILES: dict[str, Callable[[Path], Any]] = {
    "file-model": lambda path: bx.load(path / "nothing"),
    "file-read": saved(fifo),
    "file-disagree": saved(
        lambda path: (path / "graph.msgpack").write_bytes(
            bx.schema.to_msgpack(Graph.parse(BASE))
        )
    ),
    "file-size": file(b" " * (16 * 2**20 + 1)),
    "file-syntax": file("{"),
    "file-encoding": file(b'{"\xff'),
    "file-duplicate-key": file('{"a": 1, "a": 2}'),
    "file-number": file('{"a": 1e999}'),
    "file-integer": file('{"a": 18446744073709551616}'),
    "file-type": file(b"\x81\xa1a\xd6\xff\0\0\0\0"),
    "file-text": file(json.dumps({"a": "a" * 65_537})),
    "file-depth": file("[" * 25 + "]" * 25),
    "file-count": file("[" + "[]," * 250_001 + "1]"),
    "format-missing": lambda path: Graph.parse({"name": "model", "functions": {}}),
    "example": lambda path: save(path, examples=[(X[:, :4],)]),
    "examples-none": in_turn(save, bx.verify),
    "op-body-untried": untried,
    "hub": unreachable_hub,
    "hub-name": lambda path: bx.load("hf://nothing"),
    "hub-missing": no_hub,
    "hf-config": hf(hidden_size=-1),
    "hf-family": hf(model_type="nothing"),
    "hf-architecture": lambda path: bx.from_hf(
        copy(path), architecture="BertForNothing"
    ),
    "hf-graph": changed_hf(other_norm),
    "hf-sentence": unknown_pooling,
}
