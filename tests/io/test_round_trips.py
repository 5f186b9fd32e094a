"""Saved models are loaded as they were: folder, shards, single file, every dtype."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sample_specs import function, spec
from saved_models import assert_same, flat, init, layered, linear

import blox as bx
from blox.schema import Graph, to_json, to_msgpack
from blox.weights import read_headers

DTYPES = ["float32", "float16", "bfloat16", "int8", "int32", "uint16", "bool"]


def leaf(dtype: str, op: str = "param") -> dict[str, Any]:
    return {"op": op, "shape": [3, 2], "dtype": dtype}


def all_dtypes() -> Graph:
    nodes: dict[str, Any] = {f"p_{d}": leaf(d, "buffer") for d in DTYPES}
    nodes |= {"free": leaf("float"), "fixed": leaf("float32"), "y": linear()}
    outputs = {"y": "y", "free": "free", "fixed": "fixed"}
    outputs |= {f"out_{d}": f"p_{d}" for d in DTYPES}
    return Graph.parse(spec(nodes, outputs))


def typed_params(graph: Graph) -> dict[str, Any]:
    params = init(graph)
    for i, dtype in enumerate(DTYPES):
        values = np.arange(6).reshape(3, 2) * 37 + i
        params[f"p_{dtype}"] = jnp.asarray(values % 2 if dtype == "bool" else values)
        params[f"p_{dtype}"] = params[f"p_{dtype}"].astype(dtype)
    return params


@pytest.mark.parametrize("mmap", [True, False])
@pytest.mark.parametrize("kind", ["folder", "shards", "single"])
def test_round_trip(tmp_path: Path, kind: str, mmap: bool) -> None:
    graph = all_dtypes()
    params = typed_params(graph)
    path = tmp_path / ("m.safetensors" if kind == "single" else "model")
    bx.save(path, graph, params, max_shard_size=150 if kind == "shards" else None)
    found, loaded = bx.load(path, mmap=mmap)
    assert found.digest == graph.digest
    assert_same(loaded, params)
    if kind == "shards":
        assert len(list(path.glob("params-*.safetensors"))) > 1
        assert (path / "params.safetensors.index.json").exists()


def test_a_path_may_be_text(tmp_path: Path) -> None:
    graph = layered(scan=True)
    bx.save(str(tmp_path / "m"), graph, init(graph))
    assert bx.load(str(tmp_path / "m"))[0].name == "model"
    assert bx.validate(str(tmp_path / "m"), shapes=False).ok


@pytest.mark.parametrize("scan", [True, False])
def test_params_have_the_nesting_of_init(tmp_path: Path, scan: bool) -> None:
    graph = layered(scan=scan, inner=False)
    params = init(graph)
    bx.save(tmp_path / "m", graph, params)
    assert_same(bx.load(tmp_path / "m")[1], params)


def test_equal_models_give_equal_bytes(tmp_path: Path) -> None:
    graph = layered(scan=True)
    for name in ("a", "b"):
        bx.save(tmp_path / name, graph, init(graph))
    names = sorted(os.listdir(tmp_path / "a"))
    assert names == ["graph.json", "params.safetensors"]
    for name in names:
        one, two = ((tmp_path / f / name).read_bytes() for f in "ab")
        assert one == two
    assert (tmp_path / "a" / "graph.json").read_text() == to_json(graph)


def test_metadata_tells_what_the_weights_are_of(tmp_path: Path) -> None:
    graph = layered(scan=True)
    bx.save(tmp_path / "m.safetensors", graph, init(graph))
    found = read_headers(tmp_path / "m.safetensors").metadata
    assert found == {
        "blox.format": "blox/1",
        "blox.digest": graph.digest,
        "blox.version": bx.__version__,
        "blox.graph": to_json(graph),
    }


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="reads /proc")
def test_an_array_of_a_model_that_blox_wrote_is_the_file(tmp_path: Path) -> None:
    graph = Graph.parse(spec({"y": linear(features=16)}))
    bx.save(tmp_path / "m", graph, init(graph))
    array = bx.load(tmp_path / "m")[1]["y"]["kernel"]
    assert np.asarray(array).base is not None
    with open("/proc/self/maps") as maps:
        spans = [line.split()[0] for line in maps if "params.safetensors" in line]
    address = array.unsafe_buffer_pointer()
    bounds = [[int(a, 16) for a in span.split("-")] for span in spans]
    assert any(low <= address < high for low, high in bounds)


def test_dtype_casts_trainable_floats_only(tmp_path: Path) -> None:
    graph = all_dtypes()
    params = typed_params(graph)
    bx.save(tmp_path / "m", graph, params)
    _, loaded = bx.load(tmp_path / "m", dtype="bfloat16")
    dtypes = {path: str(a.dtype) for path, a in flat(loaded).items()}
    assert dtypes.pop("free") == "bfloat16"
    assert dtypes.pop("y.kernel") == dtypes.pop("y.bias") == "bfloat16"
    assert dtypes.pop("fixed") == "float32"
    assert dtypes == {f"p_{d}": d for d in DTYPES}


@pytest.mark.parametrize(
    ("dtype", "text"),
    [
        ("int8", "dtype: expected a floating dtype such as 'bfloat16', found 'int8'"),
        ("nonsense", "expected a floating dtype such as 'bfloat16', found 'nonsense'"),
        (("f4", -1), "expected a floating dtype such as 'bfloat16', found .'f4', -1"),
        ("longdouble", "expected a floating dtype such as 'bfloat16', found 'longdo"),
        ("float4_e2m1fn", "dtype: expected a floating dtype such as 'bfloat16', found"),
        ("float64", "expected at most 32 bits per value, found float64; jax.config"),
    ],
)
def test_dtypes_that_are_refused(tmp_path: Path, dtype: Any, text: str) -> None:
    graph = layered(scan=True)
    bx.save(tmp_path / "m", graph, init(graph))
    with pytest.raises(bx.WeightsError, match=text):
        bx.load(tmp_path / "m", dtype=dtype)


def test_float_takes_any_floating_dtype_and_the_model_runs(tmp_path: Path) -> None:
    graph = layered(scan=True)
    params = init(graph, dtype="float16")
    bx.save(tmp_path / "m", graph, params)
    found, loaded = bx.load(tmp_path / "m")
    assert_same(loaded, params)
    y, _ = bx.build(found)(loaded, jnp.ones((2, 8), "float16"))
    assert y.dtype == jnp.float16


def test_msgpack_and_json_may_stand_together(tmp_path: Path) -> None:
    graph = layered(scan=True)
    bx.save(tmp_path, graph, init(graph))
    (tmp_path / "graph.msgpack").write_bytes(to_msgpack(graph))
    assert bx.load(tmp_path)[0].digest == graph.digest
    (tmp_path / "graph.json").unlink()
    assert bx.load(tmp_path)[0].digest == graph.digest
    # A save writes one of them and removes the other, which would be stale.
    bx.save(tmp_path, graph, init(graph))
    assert sorted(os.listdir(tmp_path)) == ["graph.json", "params.safetensors"]


def test_an_older_models_files_go_and_others_stay(tmp_path: Path) -> None:
    graph = layered(scan=True)
    params = init(graph)
    (tmp_path / "README.md").write_text("mine")
    inputs = {"x": np.ones((1, 8), "float32")}
    bx.save(tmp_path, graph, params, max_shard_size=100, examples=[inputs])
    assert "examples.safetensors" in os.listdir(tmp_path)
    bx.save(tmp_path, graph, params)
    assert sorted(os.listdir(tmp_path)) == [
        "README.md",
        "graph.json",
        "params.safetensors",
    ]


def test_arrays_of_the_old_file_stay_while_it_is_replaced(tmp_path: Path) -> None:
    graph = layered(scan=True)
    params = init(graph)
    bx.save(tmp_path, graph, params)
    _, loaded = bx.load(tmp_path)
    bx.save(tmp_path, graph, jax.tree.map(lambda a: a + 1, loaded))
    assert_same(loaded, params)


def test_an_edited_graph_that_still_fits_is_a_warning(tmp_path: Path) -> None:
    graph = layered(scan=True)
    bx.save(tmp_path, graph, init(graph))
    text = (tmp_path / "graph.json").read_text().replace("block", "layer")
    (tmp_path / "graph.json").write_text(text)
    with pytest.warns(UserWarning, match="the Graph was changed since they were saved"):
        _, params = bx.load(tmp_path)
    assert_same(params, init(graph))
    with pytest.raises(bx.WeightsError, match="expected weights of the Graph sha256:"):
        bx.load(tmp_path, strict=True)
    report = bx.validate(tmp_path, shapes=False)
    assert report.ok
    assert [d.code for d in report] == ["weights-digest"]


def test_a_graph_alone_is_no_model(tmp_path: Path) -> None:
    graph = layered(scan=True)
    bx.save(tmp_path, graph, init(graph))
    with pytest.raises(bx.SpecError, match=r"graph.json: expected a model folder"):
        bx.load(tmp_path / "graph.json")
    assert bx.validate(tmp_path / "graph.json").ok


def test_differences_are_reported_at_once_and_nothing_is_written(
    tmp_path: Path,
) -> None:
    graph = Graph.parse(spec({"a": linear(), "b": linear("a"), "c": linear("b")}))
    params: dict[str, Any] = init(graph)
    bx.save(tmp_path / "m", graph, params)
    before = {p.name: p.read_bytes() for p in (tmp_path / "m").iterdir()}
    del params["a"]["kernel"]
    params["b"]["kernel"] = jnp.zeros((8, 9))
    params["b"]["bias"] = jnp.zeros(8, "int32")
    params["c"]["weights"] = params["c"].pop("kernel")
    params["c"]["bias"] = "text"
    with pytest.raises(bx.WeightsError) as caught:
        bx.save(tmp_path / "m", graph, params)
    assert str(caught.value).splitlines() == [
        "c.bias: expected an array, found 'str'; jax.numpy.asarray makes one",
        "a.kernel: expected float[8, 8], found no tensor",
        "b.kernel: expected shape [8, 8], found [8, 9]",
        "b.bias: expected dtype float, found int32",
        "c.kernel: expected float[8, 8], found no tensor",
        "c.weights: expected no tensor here, found float32[8, 8]",
    ]
    assert {p.name: p.read_bytes() for p in (tmp_path / "m").iterdir()} == before
    with pytest.raises(bx.WeightsError):
        bx.save(tmp_path / "new", graph, params)
    assert not (tmp_path / "new").exists()


def test_keys_that_are_no_names(tmp_path: Path) -> None:
    """A path as a key is no leaf, and nothing that a terminal acts on is shown."""
    graph = Graph.parse(spec({"y": linear()}))
    params = init(graph)
    flat = {"y.kernel": params["y"]["kernel"], "y": {"bias": params["y"]["bias"]}}
    extra = {"a\0\x1b[31m": params["y"]["bias"], "b\n": 1}
    with pytest.raises(bx.WeightsError) as raised:
        bx.save(tmp_path / "m", graph, flat | extra)
    lines = str(raised.value).split("\n")
    assert [line.partition("; ")[0] for line in lines] == [
        "'b\\n': expected an array, found 'int'",
        "y.kernel: expected float[8, 8], found no tensor",
        "'y.kernel': expected no tensor here, found float32[8, 8]",
        r"'a\x00\x1b[31m': expected no tensor here, found float32[8]",
    ]
    assert not (tmp_path / "m").exists()


def test_params_without_end(tmp_path: Path) -> None:
    params: dict[str, Any] = {}
    params["y"] = params
    with pytest.raises(bx.WeightsError, match="found a nesting without end"):
        bx.save(tmp_path / "m", Graph.parse(spec({"y": linear()})), params)


def test_shapes_alone_are_no_arrays(tmp_path: Path) -> None:
    graph = Graph.parse(spec({"a": {**linear(), "use_bias": False}}))
    params = jax.eval_shape(lambda: init(graph))
    text = "a.kernel: expected an array, found 'ShapeDtypeStruct'"
    with pytest.raises(bx.WeightsError, match=text):
        bx.save(tmp_path / "m", graph, params)


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        ("hf://me/model", {}, "save to a folder, then: hf upload"),
        ("graph.json", {}, "expected a folder or a *.safetensors file"),
        ("m.safetensors", {"examples": [{}]}, "expected no examples for a single"),
        ("m.safetensors", {"max_shard_size": 10}, "expected no max_shard_size"),
    ],
)
def test_targets_that_are_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    options: dict[str, Any],
    text: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    graph = layered(scan=True)
    with pytest.raises(bx.WeightsError) as caught:
        bx.save(name, graph, init(graph), **options)
    assert text in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_64_bit_leaves_want_x64(tmp_path: Path) -> None:
    graph = Graph.parse(spec({"n": leaf("int64", "buffer")}, inputs={}))
    with jax.enable_x64(True):
        bx.save(tmp_path, graph, {"n": np.arange(6, dtype="int64").reshape(3, 2)})
        assert bx.load(tmp_path)[1]["n"].dtype == jnp.int64
    with pytest.raises(bx.WeightsError, match=r"n: expected at most 32 bits.*x64"):
        bx.load(tmp_path)
    report = bx.validate(tmp_path)
    assert report.ok
    assert [(d.code, d.severity) for d in report] == [("weights-x64", "warning")]


def test_validation_of_structure_and_headers_needs_no_jax(tmp_path: Path) -> None:
    graph = layered(scan=True, inner=False)
    bx.save(tmp_path, graph, init(graph))
    code = (
        "import sys; from blox.io.validate import validate\n"
        f"assert validate({str(tmp_path)!r}, shapes=False).ok\n"
        "print(*{'jax', 'numpy', 'huggingface_hub'} & set(sys.modules))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == []


def test_foreign_files_without_metadata_load(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    graph = Graph.parse(spec({"a": linear()}, functions={"f": function({}, "x")}))
    params = init(graph)
    (tmp_path / "graph.json").write_text(json.dumps(graph.plain()))
    save_file(flat(params), tmp_path / "params.safetensors")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_same(bx.load(tmp_path)[1], params)
