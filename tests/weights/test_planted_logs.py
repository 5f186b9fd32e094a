"""A folder that comes from anyone may hold a commit log: nothing of the user's is lost.

What a planted log can do: name files of the closed set, which are the model's in any
case. What it can't: name another file, lead out of the folder, or go unmentioned.
"""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sample_specs import spec

import blox as bx
from blox.io.spec import read_graph
from blox.schema import Graph, to_json
from blox.weights import finish, locate, read_headers, save_flat

TOKEN = "0123456789abcdef"
USERS = {"thesis.tex": "work", "conftest.py": "mine", "config.json": "{}"}


def graph(op: str) -> Graph:
    return Graph.parse(spec({"a": {"op": op, "x": "x"}}))


def plant(
    folder: Path, files: dict[str, bytes], remove: list[str], **other: Any
) -> None:
    """A model with files of the user's beside it, and a log with its temporaries."""
    bx.save(folder, graph("relu"), {})
    for name, text in USERS.items():
        (folder / name).write_text(text)
    for name, data in files.items():
        (folder / f".blox-{TOKEN}.{name.replace('/', '.')}").write_bytes(data)
    write = {name: len(data) for name, data in files.items()}
    log = {"blox": "commit/1", "token": TOKEN, "write": write, "remove": remove}
    (folder / ".blox-commit.json").write_text(json.dumps(log | other))


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


HIDDEN = {"graph.json": to_json(graph("tanh")).encode()}


@pytest.mark.parametrize(
    ("files", "remove"),
    [
        (HIDDEN | {"conftest.py": b"evil"}, []),
        (HIDDEN, ["thesis.tex"]),
        (HIDDEN, ["graph.json"]),
        (HIDDEN, ["source/notes.md"]),
        (HIDDEN, ["config.json"]),
        (HIDDEN | {"config.json": b"evil"}, []),
        ({"model.safetensors": b"evil"}, ["config.json"]),
        (HIDDEN, [".git"]),
        (HIDDEN, ["../thesis.tex"]),
        (HIDDEN | {"source/run.py": b"evil"}, []),
        (HIDDEN, ["params-1-of-2.safetensors"]),
        (HIDDEN, ["params-00001-of-00002.safetensors.bak"]),
    ],
)
def test_names_that_no_save_writes(
    files: dict[str, bytes], remove: list[str], tmp_path: Path
) -> None:
    plant(tmp_path, files, remove)
    before = contents(tmp_path)
    for act in (
        lambda: bx.load(tmp_path),
        lambda: bx.save(tmp_path, graph("relu"), {}),
        lambda: finish(tmp_path),
        lambda: locate(tmp_path, "graph.json"),
        lambda: read_headers(tmp_path),
        lambda: save_flat(tmp_path, {}, metadata={}, stem="model"),
    ):
        with pytest.raises(bx.BloxError, match="expected the log of a save"):
            act()
        assert contents(tmp_path) == before
    for report in (bx.validate(tmp_path), bx.verify(tmp_path)):
        assert [d.path for d in report.errors] == [".blox-commit.json"]


def test_a_log_of_files_that_are_not_those_of_its_save(tmp_path: Path) -> None:
    hidden = f".blox-{TOKEN}.graph.json"

    def resized(folder: Path) -> None:
        (folder / hidden).write_bytes(b"another size")

    def linked(folder: Path) -> None:
        (folder / hidden).unlink()
        (folder / hidden).symlink_to("thesis.tex")

    def fifo(folder: Path) -> None:
        (folder / hidden).unlink()
        os.mkfifo(folder / hidden)

    def inner(folder: Path) -> None:
        (folder / hidden).unlink()
        (folder / hidden).mkdir()

    for number, change in enumerate((resized, linked, fifo, inner)):
        folder = tmp_path / str(number)
        plant(folder, HIDDEN, [])
        change(folder)
        before = contents(folder)
        with pytest.raises(
            bx.WeightsError, match="found files that are not those of the"
        ):
            bx.load(folder)
        with pytest.raises(bx.WeightsError, match="found files that are not those of"):
            bx.save(folder, graph("relu"), {})
        assert contents(folder) == before


def test_a_log_that_is_no_regular_file(tmp_path: Path) -> None:
    def linked(path: Path) -> None:
        (path.parent / "thesis.tex").write_bytes(path.read_bytes())
        path.unlink()
        path.symlink_to("thesis.tex")

    def fifo(path: Path) -> None:
        path.unlink()
        os.mkfifo(path)

    for number, change in enumerate((linked, fifo)):
        folder = tmp_path / str(number)
        plant(folder, HIDDEN, [])
        change(folder / ".blox-commit.json")
        with pytest.raises(bx.WeightsError, match="found no regular file"):
            bx.load(folder)
        with pytest.raises(bx.WeightsError, match="found no regular file"):
            bx.save(folder, graph("relu"), {})


def test_a_log_without_bounds(tmp_path: Path) -> None:
    plant(tmp_path, HIDDEN, [])
    log = tmp_path / ".blox-commit.json"
    log.write_bytes(b"{" + b" " * 16_000_000)
    with pytest.raises(bx.WeightsError, match="expected at most 16000000 bytes"):
        bx.load(tmp_path)
    os.truncate(log, 1 << 40)
    with pytest.raises(bx.WeightsError, match="expected at most 16000000 bytes"):
        bx.load(tmp_path)


def test_a_log_of_the_closed_set_is_mentioned(tmp_path: Path) -> None:
    """It may be of a save that was interrupted: what it wrote is read, and that said."""
    plant(tmp_path, HIDDEN, ["params-00001-of-00009.safetensors"])
    said = (
        f"{tmp_path.name}: expected no .blox-commit.json, found that of a save that was "
        "interrupted: hidden files that it names were read for graph.json; blox.save "
        "there or blox.weights.finish(folder) completes it; if nobody saved there, "
        "don't trust the folder"
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found, _ = bx.load(tmp_path)
    assert said in [str(w.message) for w in caught]
    assert found.digest == graph("tanh").digest
    with pytest.warns(UserWarning, match="interrupted"):
        assert read_graph(tmp_path) == found  # of `blox show`, `codegen`
    for report in (bx.validate(tmp_path), bx.verify(tmp_path)):
        assert report.ok
        assert said in [str(d) for d in report if d.code == "weights-pending"]
    bx.save(tmp_path, graph("relu"), {})
    assert bx.load(tmp_path)[0].digest == graph("relu").digest
    assert sorted(os.listdir(tmp_path)) == sorted(
        [*USERS, "graph.json", "params.safetensors"]
    )
    assert {name: (tmp_path / name).read_text() for name in USERS} == USERS


def test_a_save_completes_no_log_of_another_kind(tmp_path: Path) -> None:
    """`bx.save` touches no file of transformers, and a single file no folder."""
    plant(tmp_path, {"config.json": b"evil"}, ["model.safetensors"])
    before = contents(tmp_path)
    wanted = (
        r"that was interrupted; blox\.to_hf there or blox\.weights\.finish\(folder\)"
    )
    with pytest.warns(UserWarning, match=wanted):
        assert bx.load(tmp_path)[0] == graph("relu")
    with pytest.raises(bx.WeightsError, match="no unfinished save of another kind"):
        bx.save(tmp_path, graph("relu"), {})
    assert contents(tmp_path) == before
    bx.save(tmp_path / "a.safetensors", graph("relu"), {})
    saved = contents(tmp_path)
    assert saved.pop("a.safetensors")
    assert saved == before


def test_a_single_file_that_a_log_names(tmp_path: Path) -> None:
    plant(tmp_path, {"params.safetensors": b"evil"}, [])
    before = contents(tmp_path)
    with pytest.raises(bx.WeightsError, match="no unfinished save of another kind"):
        bx.save(tmp_path / "params.safetensors", graph("relu"), {})
    assert contents(tmp_path) == before


def test_only_temporaries_of_a_save_are_swept(tmp_path: Path) -> None:
    mine = [
        f".blox-{TOKEN}.thesis.tex",
        ".blox-graph.json",
        f".blox-{TOKEN[1:]}.graph.json",
    ]
    others = [f".blox-{TOKEN}.config.json"]
    for name in (
        *mine,
        *others,
        f".blox-{TOKEN}.graph.json",
        f".blox-{TOKEN}.source.a.md",
    ):
        (tmp_path / name).write_text("x")
    (tmp_path / f".blox-{TOKEN}.params.safetensors").mkdir()
    save_flat(tmp_path, {"a": np.zeros(3, "float32")}, metadata={})
    assert sorted(os.listdir(tmp_path)) == sorted(
        [*mine, *others, f".blox-{TOKEN}.params.safetensors", "params.safetensors"]
    )


def test_a_folder_of_the_source_that_leads_elsewhere(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    folder = tmp_path / "model"
    plant(folder, HIDDEN | {"source/a.md": b"evil"}, [])
    (folder / "source").symlink_to(home)
    before = contents(folder)
    with pytest.raises(bx.WeightsError, match="source: expected a folder of the model"):
        bx.save(folder, graph("relu"), {})
    assert contents(folder) == before
    assert os.listdir(home) == []


@pytest.mark.parametrize("name", ["graph.json", "graph.msgpack"])
def test_a_folder_where_a_log_has_a_file(name: str, tmp_path: Path) -> None:
    """Neither is anything done before what stands in the way is found."""
    plant(tmp_path, HIDDEN | {"source/a.md": b"x"}, ["graph.msgpack"])
    (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / name).mkdir()
    (tmp_path / "examples.safetensors").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    for act in (lambda: bx.save(tmp_path, graph("relu"), {}), lambda: finish(tmp_path)):
        with pytest.raises(
            bx.WeightsError, match=f"{name}: .* found a folder; move it"
        ):
            act()
        assert sorted(tmp_path.rglob("*")) == before
