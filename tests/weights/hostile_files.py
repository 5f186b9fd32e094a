"""Weight files that nobody's `save` wrote, byte by byte."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

Build = Callable[[Path], Path]
ENTRY = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


def file_bytes(header: bytes | dict[str, Any], data: bytes = b"\0" * 8) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def raw(content: bytes) -> Build:
    """A folder whose weights are the bytes `content`."""

    def build(folder: Path) -> Path:
        (folder / "params.safetensors").write_bytes(content)
        return folder

    return build


def header(text: bytes | dict[str, Any], data: bytes = b"\0" * 8) -> Build:
    return raw(file_bytes(text, data))


def entry(**changes: Any) -> Build:
    return header({"a": ENTRY | changes})


def text_entry(text: str) -> Build:
    """One tensor whose fields are JSON text that `json.dumps` would not write."""
    return header(b'{"a":{' + text.encode() + b"}}")


def named(name: str) -> Build:
    return header({name: ENTRY})


def two(first: list[int], second: list[int], data: int) -> Build:
    tensors = {"a": ENTRY | {"data_offsets": first}}
    return header(tensors | {"b": ENTRY | {"data_offsets": second}}, b"\0" * data)


def index(content: bytes | dict[str, Any], **shards: bytes) -> Build:
    """A folder with an index and files; `_` in a keyword stands for `-`."""

    def build(folder: Path) -> Path:
        text = content if isinstance(content, bytes) else json.dumps(content).encode()
        (folder / "params.safetensors.index.json").write_bytes(text)
        for name, data in shards.items():
            path = folder / f"{name.replace('_', '-')}.safetensors"
            path.write_bytes(data)
        return folder

    return build


def shard_named(name: str) -> Build:
    return index({"metadata": {"total_size": 8}, "weight_map": {"a": name}})


ONE = file_bytes({"a": ENTRY})
OTHER = file_bytes({"b": ENTRY})


def fifo(folder: Path) -> Path:
    os.mkfifo(folder / "params.safetensors")
    return folder


def fifo_shard(folder: Path) -> Path:
    os.mkfifo(folder / "s.safetensors")
    return shard_named("s.safetensors")(folder)


def link(name: str, target: str) -> Build:
    def build(folder: Path) -> Path:
        (folder.parent / "outside.safetensors").write_bytes(ONE)
        (folder / name).symlink_to(target)
        return shard_named(name)(folder) if name.startswith("s") else folder

    return build


def sub_folder(folder: Path) -> Path:
    (folder / "params.safetensors").mkdir()
    return folder


def log(content: bytes | dict[str, Any]) -> Build:
    def build(folder: Path) -> Path:
        text = content if isinstance(content, bytes) else json.dumps(content).encode()
        (folder / ".blox-commit.json").write_bytes(text)
        return header({"a": ENTRY})(folder)

    return build


GOOD_LOG = {"blox": "commit/1", "token": "0" * 16, "write": [], "remove": []}
