"""What is saved can be loaded, and floats of any width are cast on the way."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import ml_dtypes
import numpy as np
import pytest
from sample_specs import spec
from saved_models import flat, init, layered, write

import blox as bx
from blox.schema import Graph

GRAPH = layered(scan=True)


def doubles(graph: Graph) -> dict[str, Any]:
    """Values that round differently at each width, too large ones among them."""
    draw = np.random.default_rng(0)
    found = {}
    for path, array in flat(init(graph)).items():
        values = draw.standard_normal(array.shape) * 10.0 ** draw.integers(-3, 4)
        values.flat[0] = 1e300
        found[path] = values
    return found


@pytest.mark.parametrize("mmap", [True, False])
@pytest.mark.parametrize("scan", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_doubles_are_cast(dtype: str, scan: bool, mmap: bool, tmp_path: Path) -> None:
    """Also where copies are stacked or taken apart on the way."""
    tensors = doubles(GRAPH)
    write(tmp_path, GRAPH, tensors)
    target = layered(scan=scan, inner=None)
    (tmp_path / "graph.json").write_text(bx.schema.to_json(target))
    with pytest.raises(bx.WeightsError, match=r"h\.up\.bias: expected at most 32 bits"):
        bx.load(tmp_path, mmap=mmap)
    _, params = bx.load(tmp_path, dtype=dtype, mmap=mmap)
    rounded = np.dtype(getattr(ml_dtypes, dtype, None) or dtype)
    for path, array in flat(params).items():
        parts = [p for p in path.split(".") if not p.isdigit()]
        number = [int(p) for p in path.split(".") if p.isdigit()]
        with np.errstate(over="ignore"):
            expected = tensors[".".join(parts)][tuple(number)].astype(rounded)
        assert array.dtype == rounded
        np.testing.assert_array_equal(array, expected)


def test_casting_takes_no_second_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chunk by chunk, into the memory that JAX takes over."""
    from blox.io import assemble

    monkeypatch.setattr(assemble, "_CHUNK", 100)
    tensors = doubles(GRAPH)
    write(tmp_path, GRAPH, tensors)
    _, params = bx.load(tmp_path, dtype="float32")
    with np.errstate(over="ignore"):
        for path, array in flat(params).items():
            np.testing.assert_array_equal(array, tensors[path].astype("float32"))


def test_what_is_no_parameter_is_not_cast(tmp_path: Path) -> None:
    nodes = {
        "free": {"op": "param", "shape": [2], "dtype": "float"},
        "fixed": {"op": "param", "shape": [2], "dtype": "float64"},
        "held": {"op": "buffer", "shape": [2], "dtype": "float"},
        "count": {"op": "buffer", "shape": [2], "dtype": "int64"},
    }
    graph = Graph.parse(spec(nodes, {name: name for name in nodes}, inputs={}))
    tensors = {name: np.ones(2, "float64") for name in ("free", "fixed", "held")}
    write(tmp_path, graph, tensors | {"count": np.ones(2, "int64")})
    with pytest.raises(bx.WeightsError) as caught:
        bx.load(tmp_path, dtype="bfloat16")
    assert [d.path for d in caught.value.diagnostics] == ["fixed", "held", "count"]
    with jax.enable_x64(True):
        _, params = bx.load(tmp_path, dtype="bfloat16")
    assert {name: str(a.dtype) for name, a in params.items()} == {
        "free": "bfloat16",
        "fixed": "float64",
        "held": "float64",
        "count": "int64",
    }


def test_save_refuses_what_load_refuses(tmp_path: Path) -> None:
    params = jax.tree.map(lambda a: np.asarray(a, "float64"), init(GRAPH))
    with pytest.raises(bx.WeightsError, match=r"h\.up\.bias: expected at most 32 bits"):
        bx.save(tmp_path / "m", GRAPH, params)
    assert not (tmp_path / "m").exists()
    with jax.enable_x64(True):
        bx.save(tmp_path / "m", GRAPH, params)
        assert bx.load(tmp_path / "m")[1]["out"]["bias"].dtype == "float64"
    assert bx.load(tmp_path / "m", dtype="float32")[1]["out"]["bias"].dtype == "float32"


@pytest.mark.parametrize(("setting", "fine"), [("1", True), ("0", False), ("", False)])
def test_save_without_jax_goes_by_its_setting(
    setting: str, fine: bool, tmp_path: Path
) -> None:
    data = spec({"n": {"op": "buffer", "shape": [2], "dtype": "int64"}}, inputs={})
    code = (
        "import sys, numpy as np, blox as bx\n"
        f"graph = bx.Graph.parse({data!r})\n"
        "try:\n"
        f"    bx.save({str(tmp_path / 'm')!r}, graph, {{'n': np.ones(2, 'int64')}})\n"
        "except bx.WeightsError as error: print(error)\n"
        "assert 'jax' not in sys.modules"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "JAX_ENABLE_X64": setting},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ("expected at most 32 bits" in run.stdout) is not fine
    assert (tmp_path / "m").exists() is fine


def test_a_copy_with_a_fault_is_not_saved(tmp_path: Path) -> None:
    """Its fields are right, as every Graph's are; what they mean is not."""
    main = GRAPH.functions["main"].model_copy(update={"outputs": {"y": "nowhere"}})
    functions = {**GRAPH.functions, "main": main}
    dangling = GRAPH.model_copy(update={"functions": functions})
    assert [d.code for d in bx.validate(dangling)] == ["reference-unknown"]
    for name in ("m", "m.safetensors"):
        with pytest.raises(bx.SpecError, match="nowhere"):
            bx.save(tmp_path / name, dangling, init(GRAPH))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["m", "m.safetensors"])
def test_a_copy_is_saved_as_it_is(name: str, tmp_path: Path) -> None:
    sound = GRAPH.model_copy(update={"name": "another"})
    bx.save(tmp_path / name, sound, init(GRAPH))
    assert bx.load(tmp_path / name, strict=True)[0].name == "another"


def test_two_loads_share_nothing_that_can_change(tmp_path: Path) -> None:
    bx.save(tmp_path, GRAPH, init(GRAPH))
    (one, first), (two, second) = bx.load(tmp_path), bx.load(tmp_path)
    assert one == two
    with pytest.raises(Exception, match="a Graph can't be changed"):
        one.functions["main"] = one.functions["block"]
    first["out"]["extra"] = 1
    del first["h"]
    assert sorted(second) == ["h", "out"]
    assert "extra" not in second["out"]
