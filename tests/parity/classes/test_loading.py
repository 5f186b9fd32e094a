"""`load` of a file of classes: layouts it reads, and one error for all that is wrong."""

from __future__ import annotations

import sys
from pathlib import Path
from subprocess import run
from typing import Any

import numpy as np
import pytest
from class_files import TARGETS, assert_close, module_of, params_of
from parity.classes.calls import flat_arrays
from safetensors.numpy import load_file, save_file

import blox as bx
from blox.schema import Graph, from_bytes

pytestmark = pytest.mark.parity

TESTS = Path(__file__).parents[2]
GRAPH: Graph = from_bytes((TESTS / "models" / "tiny_gpt.json").read_bytes())


@pytest.fixture(scope="module", params=TARGETS)
def written(request: pytest.FixtureRequest) -> tuple[str, Any]:
    target = request.param
    source = bx.generate(GRAPH, target=target)
    return target, module_of(source, f"loaded_{target}")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    bx.save(tmp_path / "model", GRAPH, params_of(GRAPH))
    return tmp_path / "model"


def test_copies_one_by_one_and_shards(written: tuple[str, Any], model: Path) -> None:
    target, module = written
    stacked = load_file(model / "params.safetensors")
    single: dict[str, np.ndarray] = {}
    for path, array in stacked.items():
        if path.startswith("h."):
            copies = {f"h.{i}{path[1:]}": x for i, x in enumerate(array)}
            single |= {path: np.ascontiguousarray(x) for path, x in copies.items()}
        else:
            single[path] = array
    save_file(single, model / "single.safetensors")
    bx.save(model.parent / "shards", GRAPH, params_of(GRAPH), max_shard_size=20_000)
    assert len([*(model.parent / "shards").glob("params-*")]) > 1
    for folder in (model, model / "single.safetensors", model.parent / "shards"):
        arrays = flat_arrays(target, module.load(folder))
        assert arrays.keys() == stacked.keys()
        for name, array in arrays.items():
            assert_close(stacked[name], array, name, 0.0)


def test_all_faults_in_one_error(written: tuple[str, Any], model: Path) -> None:
    _, module = written
    arrays = load_file(model / "params.safetensors")
    del arrays["ln_f.scale"]
    arrays["wte.embedding"] = arrays["wte.embedding"][:3]
    arrays["h.mlp.up.bias"] = arrays["h.mlp.up.bias"].astype(np.int32)
    arrays["extra"] = np.zeros(2, np.float32)
    save_file(arrays, model / "params.safetensors")
    with pytest.raises(ValueError, match="expected") as caught:
        module.load(model)
    assert sorted(str(caught.value).split("; ")) == [
        "extra: expected no such array",
        "h.mlp.up.bias: expected float32 (3, 128), found int32 (3, 128)",
        "ln_f.scale: expected float32 (32,), found no array",
        "wte.embedding: expected float32 (64, 32), found float32 (3, 32)",
    ]


def test_files_are_typed() -> None:
    """Of each kind of file, `mypy --strict` has no finding, with the libraries there."""
    pytest.importorskip("mypy")
    files = [*TESTS.glob("golden/nnx/*.py"), *TESTS.glob("golden/equinox/*.py")]
    assert len(files) > 10
    for target in TARGETS:
        own = [str(f) for f in files if f.parent.name == target]
        cache = TESTS.parent / ".mypy_cache" / "classes"
        command = [sys.executable, "-m", "mypy", "--strict", "--config-file="]
        done = run(
            [*command, f"--cache-dir={cache}", *own],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
