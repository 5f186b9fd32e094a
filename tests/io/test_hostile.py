"""Folders that nobody's `save` wrote: refused in a line, before an array is made."""

from __future__ import annotations

import json
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
from saved_models import flat, init, layered, write

import blox as bx
from blox.schema import to_json, to_msgpack
from blox.weights import save_flat

GRAPH = layered(scan=True)
Change = Callable[[Path], object]


def text(change: Callable[[str], str]) -> Change:
    def apply(folder: Path) -> None:
        file = folder / "graph.json"
        file.write_text(change(file.read_text()))

    return apply


def instead(name: str, make: Callable[[Path], object]) -> Change:
    def apply(folder: Path) -> None:
        (folder / name).unlink()
        make(folder / name)

    return apply


def link(target: str) -> Callable[[Path], object]:
    return lambda path: path.symlink_to(target)


def disagreeing(folder: Path) -> None:
    other = layered(scan=True, depth=5)
    (folder / "graph.msgpack").write_bytes(to_msgpack(other))


def reordered(folder: Path) -> None:
    data = GRAPH.plain()
    nodes = data["functions"]["main"]["nodes"]
    data["functions"]["main"]["nodes"] = dict(reversed(nodes.items()))
    packed = msgpack.packb(data)
    assert packed is not None
    (folder / "graph.msgpack").write_bytes(packed)


def wrong_weights(folder: Path) -> None:
    tensors = flat(init(GRAPH)) | {"out.bias": np.zeros(5, "float32")}
    del tensors["h.up.kernel"]
    save_flat(folder, tensors, metadata={})


CASES: dict[str, tuple[Change, str]] = {
    "no graph": (
        lambda f: (f / "graph.json").unlink(),
        "expected graph.json or graph.msgpack in the folder, found neither",
    ),
    "no weights": (
        lambda f: (f / "params.safetensors").unlink(),
        "expected params.safetensors or params.safetensors.index.json, found neither",
    ),
    "a FIFO": (
        instead("graph.json", os.mkfifo),
        "graph.json: expected a regular file, found a FIFO",
    ),
    "a folder": (
        instead("graph.json", os.mkdir),
        "graph.json: expected a regular file, found a folder",
    ),
    "a device": (instead("graph.json", link("/dev/zero")), "graph.json: expected a "),
    "a link out": (
        instead("graph.json", link("/etc/hostname")),
        "graph.json: expected a file inside the model's folder, found a link out of it",
    ),
    "a dangling link": (
        instead("graph.json", link("nowhere")),
        "graph.json: can't be read: No such file",
    ),
    "a loop of links": (
        instead("graph.json", link("graph.json")),
        "graph.json: can't be read: ",
    ),
    "weights linked out": (
        instead("params.safetensors", link("/etc/hostname")),
        "params.safetensors: expected a file inside the model's folder",
    ),
    "no JSON": (text(lambda t: t[:-9]), "expected JSON, found an error at line"),
    "an empty file": (text(lambda t: ""), "expected JSON, found an empty file"),
    "a huge file": (
        lambda f: os.truncate(f / "graph.json", 1 << 40),
        "graph.json: expected at most 16777216 bytes, found 1099511627776",
    ),
    "two Graphs": (
        disagreeing,
        "functions.main.nodes.h.count: expected graph.json and graph.msgpack to hold "
        "the same Graph, found that they differ here; remove the one that is out of",
    ),
    "one Graph in two orders": (reordered, "functions.main.nodes: expected graph.json"),
    "another version": (
        text(lambda t: t.replace("blox/1", "blox/2")),
        "format: this blox reads 'blox/1', found 'blox/2'",
    ),
    "a wrong reference": (
        text(lambda t: t.replace('"x": "h"', '"x": "hh"')),
        "main.out.x: ",
    ),
    "other weights": (wrong_weights, "h.up.kernel: expected float[3, 8, 8], found no"),
}


def model(folder: Path) -> Path:
    return write(folder / "model", GRAPH, flat(init(GRAPH)))


@pytest.mark.parametrize("case", CASES)
def test_refused_in_a_line(tmp_path: Path, case: str) -> None:
    change, expected = CASES[case]
    folder = model(tmp_path)
    change(folder)
    tracemalloc.start()
    with pytest.raises((bx.SpecError, bx.WeightsError)) as caught:
        bx.load(folder)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000
    assert expected in str(caught.value)
    for diagnostic in caught.value.diagnostics:
        line = str(diagnostic)
        assert line.isascii()
        assert line.isprintable()
    if case != "no weights":  # a Graph alone may be validated
        found = [str(d) for d in bx.validate(folder, shapes=False)]
        assert found == [str(d) for d in caught.value.diagnostics]
    assert not bx.verify(folder).ok


def test_no_array_is_made_when_headers_do_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from blox.weights import loading

    folder = model(tmp_path)
    wrong_weights(folder)
    for name in ("_map", "_read"):
        monkeypatch.setattr(loading, name, lambda *args: pytest.fail("data was read"))
    with pytest.raises(bx.WeightsError) as caught:
        bx.load(folder)
    assert str(caught.value).splitlines() == [
        "h.up.kernel: expected float[3, 8, 8], found no tensor",
        "out.bias: expected shape [4], found [5]",
    ]


def test_no_header_is_read_when_the_graph_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from blox.io import model as reading

    folder = model(tmp_path)
    CASES["a wrong reference"][0](folder)
    monkeypatch.setattr(reading, "headers_of", lambda *a: pytest.fail("was read"))
    with pytest.raises(bx.SpecError):
        bx.load(folder)


def test_a_spec_in_metadata_is_as_strictly_read(tmp_path: Path) -> None:
    file = tmp_path / "m.safetensors"
    tensors = flat(init(GRAPH))
    for spec, expected in (
        (None, "expected a Graph in the metadata under 'blox.graph', found none"),
        ("[]", "expected an object"),
        ('{"format": "blox/1", "format": "blox/1"}', "expected each key once"),
        ("{" * 20000, "expected"),
        (to_json(GRAPH).replace('"x": "h"', '"x": "hh"'), "main.out.x: "),
    ):
        metadata = {} if spec is None else {"blox.graph": spec}
        save_flat(file, tensors, metadata=metadata)
        with pytest.raises(bx.SpecError) as caught:
            bx.load(file)
        assert expected in str(caught.value)
        assert not bx.validate(file).ok


@pytest.mark.parametrize(
    "path", ["nowhere", "nowhere.safetensors", "nowhere.json", "a\0b", "x" * 5000, ""]
)
def test_paths_that_lead_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for act in (bx.validate, bx.verify):
        report: Any = act(path)
        assert not report.ok
        assert len(report.diagnostics) == 1
    with pytest.raises(bx.SpecError):
        bx.load(path)


def test_a_folder_of_transformers_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(bx.SpecError, match=r"is read by blox\.from_hf"):
        bx.load(tmp_path)


def test_a_save_in_between_is_seen_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder changes between Graph and weights: what is loaded is of one model."""
    from blox.io import model as reading
    from blox.weights.folder import Folder
    from blox.weights.reading import headers_of

    other = layered(scan=True, depth=5)
    bx.save(tmp_path, GRAPH, init(GRAPH))

    def slow(folder: Folder) -> Any:
        monkeypatch.setattr(reading, "headers_of", headers_of)
        bx.save(tmp_path, other, init(other))
        return headers_of(folder)

    monkeypatch.setattr(reading, "headers_of", slow)
    graph, params = bx.load(tmp_path)
    assert graph.digest == other.digest
    assert params["h"]["up"]["kernel"].shape == (5, 8, 8)
