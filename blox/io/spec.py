"""The Graph of a model's files: `graph.json`, `graph.msgpack`, or in the weights."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from blox.schema import Graph, SpecError, WeightsError, from_bytes
from blox.schema.diagnostics import quote
from blox.schema.parse.reader import MAX_BYTES
from blox.schema.version import __version__
from blox.schema.write.canonical import plain
from blox.weights import Headers
from blox.weights.faults import typed_faults
from blox.weights.files import Source, read_small, shown
from blox.weights.folder import Folder, read_folder
from blox.weights.reading import headers_of_file

GRAPH_JSON = "graph.json"
GRAPH_MSGPACK = "graph.msgpack"
SINGLE = ".safetensors"

GRAPH_KEY = "blox.graph"
"""Metadata of a single self-describing file: the canonical JSON of its Graph."""
FORMAT_KEY = "blox.format"
DIGEST_KEY = "blox.digest"
VERSION_KEY = "blox.version"

_CODES = {"weights-log": "weights-log", "weights-size": "file-size"}

PathLike = str | os.PathLike[str]


def is_single(path: Path) -> bool:
    """True for one self-describing file, by its name."""
    return path.name.endswith(SINGLE)


def is_spec(path: Path) -> bool:
    """True for the file of a Graph alone, by its name."""
    return path.name.endswith((".json", ".msgpack"))


def spec_file(path: Path) -> dict[str, bytes]:
    """The bytes of the Graph in one file, by the file's name; not yet parsed.

    Args:
        path: a single `.safetensors` file, or a `.json` or `.msgpack` file that holds a
            Graph.

    Raises:
        SpecError: there is nothing at `path`, or no Graph in it, or no file that may be
            read (a FIFO, a device, too large).
    """
    with spec_faults(path):
        if is_spec(path):
            return {path.name: read_small(path, MAX_BYTES)}
        return {path.name: graph_of_metadata(path, headers_of_file(Source(path)))}


@contextmanager
def spec_faults(path: Path) -> Iterator[None]:
    """Faults of the files that hold a Graph are a SpecError."""
    try:
        with typed_faults(path):
            yield
    except WeightsError as error:
        raise SpecError(
            replace(d, code=_CODES.get(d.code, "file-read")) for d in error.diagnostics
        ) from None


def require_folder(path: Path, *, weights: bool = True) -> None:
    """Refuse all that is no model folder.

    Args:
        path: what is no single file.
        weights: False where a Graph alone would have been fine too.
    """
    if not path.is_dir():
        found = "found another name" if os.path.lexists(path) else "found nothing there"
        graph = "" if weights else ", a Graph (*.json, *.msgpack)"
        wanted = f"expected a model folder{graph} or a *{SINGLE} file, {found}"
        raise SpecError.one("file-model", shown(path), wanted)


def spec_of_folder(folder: Folder) -> dict[str, bytes]:
    """The bytes of the Graph's files in a folder, by name."""
    files = {}
    for name in (GRAPH_JSON, GRAPH_MSGPACK):
        found = folder.open(name)
        if found is not None:
            files[name] = found.read(MAX_BYTES)
    if files:
        return files
    raise SpecError.one(
        "file-model",
        shown(folder.path),
        f"expected {GRAPH_JSON} or {GRAPH_MSGPACK} in the folder, found neither",
        "a folder of transformers is read by blox.from_hf"
        if (folder.path / "config.json").is_file()
        else "",
    )


def graph_of_metadata(path: Path, headers: Headers) -> bytes:
    """The bytes of the Graph of a single file."""
    if GRAPH_KEY not in headers.metadata:
        raise SpecError.one(
            "file-model",
            shown(path),
            f"expected a Graph in the metadata under {GRAPH_KEY!r}, found none",
            f"weights alone are no model: a folder holds {GRAPH_JSON} with them",
        )
    return headers.metadata[GRAPH_KEY].encode()


@lru_cache(maxsize=8)
def _parsed(data: bytes) -> Graph:
    """A Graph never changes: who validates and then loads a file parses it once."""
    return from_bytes(data)


def parse_spec(files: dict[str, bytes]) -> Graph:
    """The Graph that all of `files` hold; its meaning is not checked yet.

    Raises:
        SpecError: every faulty field, or files that hold different Graphs.
    """
    (name, data), *others = files.items()
    graph = _parsed(data)
    for other, content in others:
        where = difference(plain(graph), plain(from_bytes(content)))
        if where is not None:
            raise SpecError.one(
                "file-disagree",
                where,
                f"expected {name} and {other} to hold the same Graph, found that they "
                "differ here",
                "remove the one that is out of date",
            )
    return graph


def difference(a: Any, b: Any, path: str = "") -> str | None:
    """The first path at which two pieces of plain data differ, None if they don't."""
    if type(a) is not type(b) or not isinstance(a, (dict, list)):
        return None if type(a) is type(b) and a == b else path or "."
    if isinstance(a, list):
        a, b = dict(enumerate(a)), dict(enumerate(b))
    for key in dict.fromkeys([*a, *b]):
        part = str(key) if str(key).isidentifier() or type(key) is int else quote(key)
        inner = f"{path}.{part}" if path else part
        if (key in a) != (key in b):
            return inner
        where = difference(a[key], b[key], inner)
        if where is not None:
            return where
    return None if list(a) == list(b) else path or "."


def read_graph(path: PathLike) -> Graph:
    """The Graph at `path`, without its weights; its fields are checked, its meaning not.

    Args:
        path: a model folder, a single `.safetensors` file, a `.json` or `.msgpack` file
            that holds a Graph, or `hf://owner/name[@revision]`.

    Raises:
        SpecError: every faulty field, or no Graph at `path`.
    """
    from . import hub

    place = hub.local(path)
    if is_spec(place) or is_single(place):
        return parse_spec(spec_file(place))
    with spec_faults(place):
        require_folder(place, weights=False)
        files, notes = read_folder(place, lambda f: (spec_of_folder(f), f.pending()))
    for diagnostic in notes:
        warnings.warn(str(diagnostic), stacklevel=2)
    return parse_spec(files)


def metadata_of(graph: Graph) -> dict[str, str]:
    """What the weights of `graph` say of it in their metadata."""
    return {
        FORMAT_KEY: graph.format,
        DIGEST_KEY: graph.digest,
        VERSION_KEY: __version__,
    }
