"""`load` of a file of classes: layouts it reads, and one error for all that is wrong."""

from __future__ import annotations

import sys
from pathlib import Path
from subprocess import run
from typing import Any

import numpy as np
import pytest
from class_files import TARGETS, assert_close, flat_params, module_of, params_of
from generated_files import executed
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
        "h.mlp.up.bias: expected float (3, 128), found int32 (3, 128)",
        "ln_f.scale: expected float (32,), found no array",
        "wte.embedding: expected float (64, 32), found float32 (3, 32)",
    ]


def nested() -> Graph:
    """Copies on axes and in lists, within each other, with statistics in float32."""
    b = bx.GraphBuilder("nested", width=4)

    def layer(f: bx.F, x: bx.Value) -> bx.Value:
        return f.batch_norm("norm", f.linear("up", x, 4))

    def stacked(f: bx.F, x: bx.Value) -> bx.Value:
        return f.repeat("inner", layer, count=2)(x)

    def listed(f: bx.F, x: bx.Value) -> bx.Value:
        return f.repeat("inner", layer, count=2, scan=False)(x)

    @b.entry(x=bx.Input(["batch", b.width]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        x = f.repeat("lists", listed, count=3)(x)
        x = f.repeat("stacks", stacked, count=3, scan=False)(x)
        return f.repeat("axes", stacked, count=3)(x)

    return b.graph()


def one_by_one(graph: Graph, stored: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A file of which every copy lies by its number."""
    found = {}
    for path, leaf in graph.program().leaves().items():
        parts = path.split(".")
        rows: dict[tuple[int, ...], np.ndarray] = {(): stored[path]}
        for _ in leaf.below:
            rows = {(*at, i): x for at, y in rows.items() for i, x in enumerate(y)}
        for at, x in rows.items():
            name = [*parts]
            for i, below in reversed([*zip(at, leaf.below, strict=True)]):
                name.insert(len(parts) - below, str(i))
            found[".".join(name)] = np.ascontiguousarray(x)
    return found


@pytest.mark.parametrize("target", TARGETS)
def test_reads_and_refuses_what_functions_do(target: Any, tmp_path: Path) -> None:
    graph, file = nested(), tmp_path / "arrays.safetensors"
    bx.save(tmp_path / "model", graph, params_of(graph))
    plain = load_file(tmp_path / "model" / "params.safetensors")
    numbers = one_by_one(graph, plain)
    assert {"axes.2.inner.1.up.bias", "lists.2.inner.1.up.bias"} <= numbers.keys()
    lists: dict[str, list[np.ndarray]] = {}
    for name, x in plain.items():
        parts = [part for part in name.split(".") if not part.isdigit()]
        lists.setdefault(".".join(parts), []).append(x)
    axis = {"stacks": 0, "lists": 1, "axes": 0}
    every = {
        name: xs[0] if len(xs) == 1 else np.stack(xs, axis[name.split(".")[0]])
        for name, xs in lists.items()
    }
    half = {name: x.astype(np.float16) for name, x in plain.items()}
    first = min(numbers)
    files = {
        "plain": plain,
        "numbers": numbers,
        "lists on an axis": every,
        "half": half,
        "half, but for statistics": {
            name: plain[name] if name.endswith(("mean", "var")) else x
            for name, x in half.items()
        },
        "one copy missing": {name: numbers[name] for name in numbers if name != first},
        "one copy more": {**numbers, "axes.3.inner.0.up.bias": np.zeros(4)},
    }
    functions = executed(bx.generate(graph))
    module = module_of(bx.generate(graph, target=target), f"nested_{target}")
    refused = set()
    for what, arrays in files.items():
        save_file(arrays, file)
        try:
            expected = dict(flat_params(functions["load_params"](file)))
        except ValueError as error:
            refused.add(what)
            with pytest.raises(ValueError, match="expected") as caught:
                module.load(file)
            ours = sorted(str(error).split("; "))
            theirs = sorted(str(caught.value).split("; "))
            assert len(ours) == len(theirs), what
            assert len(ours) == 20 or ours == theirs, what
            continue
        found = flat_arrays(target, module.load(file))
        assert found.keys() == expected.keys()
        for name, x in expected.items():
            assert x.dtype == found[name].dtype, f"{what} {name}"
            assert (np.asarray(x) == np.asarray(found[name])).all(), f"{what} {name}"
    assert refused == {"half", "one copy missing", "one copy more"}


def test_files_are_typed(tmp_path: Path) -> None:
    """Of each kind of file, `mypy --strict` has no finding, with the libraries there."""
    pytest.importorskip("mypy")
    files = [*TESTS.glob("golden/nnx/*.py"), *TESTS.glob("golden/equinox/*.py")]
    assert len(files) > 10
    own = [tmp_path / f"{file.parent.name}_{file.name}" for file in files]
    for file, copy in zip(files, own, strict=True):
        copy.write_bytes(file.read_bytes())
    cache = TESTS.parent / ".mypy_cache" / "classes"
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file="]
    done = run(
        [*command, f"--cache-dir={cache}", *map(str, own)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
