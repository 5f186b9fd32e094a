"""Places where no model can be, and systems that refuse: a line of a typed error each."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hf.checkpoints import imported
from saved_models import init, layered

import blox as bx
from blox.io import model as reading
from blox.weights import read_headers

GRAPH = layered(scan=True)
PARAMS = init(GRAPH)


def reported(act: Callable[[], Any]) -> list[str]:
    """The errors of an act, raised or returned; anything but a BloxError is a failure."""
    try:
        found = act()
    except bx.BloxError as error:
        return [str(d) for d in error.diagnostics]
    return [str(d) for d in found.errors] if isinstance(found, bx.Report) else []


ACTS: dict[str, Callable[[Any], Any]] = {
    "load": bx.load,
    "validate": bx.validate,
    "verify": bx.verify,
    "save": lambda path: bx.save(path, GRAPH, PARAMS),
    "from_hf": bx.from_hf,
    "to_hf": lambda path: bx.to_hf(path, *imported()),
    "read_headers": lambda path: read_headers(Path(path)),
}


PATHS = {
    "NUL": "a\0b",
    "NUL in a file": "a\0b.safetensors",
    "NUL in a Graph": "a\0b.json",
    "lone surrogate": "a\ud800b",
    "surrogate in a file": "a\ud800.safetensors",
    "long": "x" * 5000,
    "long file": "x" * 5000 + ".safetensors",
    "long folder": "x" * 300 + "/a",
    "below a file": "file/a",
    "below a file, a file": "file/a.safetensors",
    "a loop": "loop",
    "below a loop": "loop/a",
    "a long name": "x" * 300,
    "a FIFO": "fifo",
    "a FIFO as a file": "fifo.safetensors",
    "a folder as a file": "folder.safetensors",
    "a terminal escape": "\x1b[31m/\n",
}


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("path", PATHS)
def test_no_model_there(
    act: str, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("mine")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "folder.safetensors").mkdir()
    for name in ("fifo", "fifo.safetensors"):
        os.mkfifo(tmp_path / name)
    before = sorted(os.listdir(tmp_path))
    lines = reported(lambda: ACTS[act](PATHS[path]))
    if path == "a terminal escape" and act in ("save", "to_hf"):
        assert lines == []  # a folder may have such a name
        return
    assert len(lines) == 1
    assert lines[0].isascii()
    assert lines[0].isprintable()
    assert len(lines[0]) < 300
    assert sorted(os.listdir(tmp_path)) == before


@pytest.mark.parametrize("act", ["save", "to_hf"])
def test_a_name_of_the_hub_is_no_target(
    act: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (line,) = reported(lambda: ACTS[act]("hf://owner/name"))
    assert line.startswith("hf://owner/name: expected a folder or a file here, found")
    assert os.listdir() == []


def test_bytes_of_the_file_system_that_are_no_text(tmp_path: Path) -> None:
    """A name that `os.fsdecode` gave is sound, whatever it looks like."""
    path = tmp_path / os.fsdecode(b"m\xff")
    bx.save(path, GRAPH, PARAMS)
    assert bx.load(path)[0] == GRAPH
    assert reported(lambda: bx.load(path / "x"))[0].isascii()


ERRORS = {
    errno.EACCES: "Permission denied",
    errno.EIO: "Input/output error",
    errno.ESTALE: "Stale file handle",
    errno.EMFILE: "Too many open files",
}


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="reads /proc")
@pytest.mark.parametrize("number", ERRORS)
@pytest.mark.parametrize("call", ["stat", "lstat", "open", "fstat", "dup"])
@pytest.mark.parametrize(
    "name", ["graph.json", "params.safetensors", ".blox-commit.json"]
)
def test_a_system_that_refuses(
    number: int, call: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bx.save(tmp_path, GRAPH, PARAMS)
    real = getattr(os, call)

    def refuse(path: Any, *args: Any, **options: Any) -> Any:
        mine = path if isinstance(path, int) else os.fspath(path)
        if isinstance(mine, int):
            try:
                mine = os.readlink(f"/proc/self/fd/{mine}")
            except OSError:
                mine = ""
        if str(mine).endswith(name) and str(tmp_path) in str(mine):
            raise OSError(number, ERRORS[number], mine)
        return real(path, *args, **options)

    for act in ("load", "validate", "verify"):
        with monkeypatch.context() as patch:
            patch.setattr(os, call, refuse)
            lines = reported(partial(ACTS[act], tmp_path))
        expected = call == "lstat" or name != ".blox-commit.json"
        assert len(lines) == expected, lines
        assert all(ERRORS[number] in line for line in lines)


@pytest.mark.parametrize("act", ["load", "verify"])
def test_a_folder_that_vanishes(
    act: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from blox.weights.reading import headers_of

    bx.save(tmp_path / "m", GRAPH, PARAMS)

    def vanish(folder: Any) -> Any:
        shutil.rmtree(tmp_path / "m", ignore_errors=True)
        return headers_of(folder)

    monkeypatch.setattr(reading, "headers_of", vanish)
    (line,) = reported(lambda: ACTS[act](tmp_path / "m"))
    assert "expected" in line


@pytest.mark.parametrize("act", ["load", "validate", "verify"])
@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), MemoryError()])
def test_data_that_can_not_be_read(
    act: str, error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bx.save(tmp_path, GRAPH, PARAMS)

    def fail(*args: Any) -> Any:
        raise error

    for module in ("files", "header"):
        monkeypatch.setattr(f"blox.weights.{module}.read_exactly", fail)
    (line,) = reported(lambda: ACTS[act](tmp_path))
    assert "Input/output error" in line or "expected memory" in line


def test_a_file_that_gets_shorter(tmp_path: Path) -> None:
    """Between its header and its data; both ways of loading refuse."""
    from blox.weights import load_flat, read_headers, save_flat

    save_flat(tmp_path, {"a": np.zeros(9000, np.float32)}, metadata={})
    for mmap in (True, False):
        headers = read_headers(tmp_path)
        os.truncate(tmp_path / "params.safetensors", 20_000)
        with pytest.raises(bx.WeightsError, match="found a changed one; load again"):
            load_flat(headers, mmap=mmap)
        save_flat(tmp_path, {"a": np.zeros(9000, np.float32)}, metadata={})


@pytest.mark.parametrize("options", [{"mmap": False}, {"dtype": "float16"}])
def test_memory_that_runs_out(
    options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from blox.io import assemble
    from blox.weights import loading

    def full(size: int) -> Any:
        raise MemoryError

    bx.save(tmp_path, GRAPH, PARAMS)
    for module in (assemble, loading):
        monkeypatch.setattr(module, "aligned_bytes", full)
    (line,) = reported(lambda: bx.load(tmp_path, **options))
    assert "expected memory for what is to be read, found too little; mmap=True" in line


def test_memory_of_a_device_that_runs_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import jax

    def full(arrays: Any) -> Any:
        raise jax.errors.JaxRuntimeError(
            "RESOURCE_EXHAUSTED: Out of memory\nBacktrace:"
        )

    bx.save(tmp_path, GRAPH, PARAMS)
    monkeypatch.setattr(jax, "device_put", full)
    (line,) = reported(lambda: bx.load(tmp_path))
    assert "expected memory" in line
