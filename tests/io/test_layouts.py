"""Stacked and per-layer files load into stacked and per-layer Graphs alike."""

from __future__ import annotations

import itertools
import math
import tracemalloc
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_specs import function, spec
from saved_models import assert_same, flat, init, layered, linear, nested, repeat, write
from trees import same_structure

import blox as bx
from blox.io.match import fit
from blox.schema import Graph
from blox.weights import Headers, TensorInfo

NESTED = [*itertools.product([True, False], [True, False])]


@pytest.mark.parametrize("file_scans", [True, False])
@pytest.mark.parametrize("graph_scans", [True, False])
def test_one_repeat(tmp_path: Path, graph_scans: bool, file_scans: bool) -> None:
    tensors = flat(init(layered(scan=file_scans)))
    graph = layered(scan=graph_scans)
    write(tmp_path, graph, tensors)
    # Scanned and unrolled repeats start the same, so init is an independent reference;
    # they are compiled apart, which may round the last digit otherwise.
    found, expected = bx.load(tmp_path)[1], init(graph)
    assert same_structure(found, expected)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, 1e-5)
    assert bx.validate(tmp_path, shapes=False).diagnostics == []


@pytest.mark.parametrize("file", NESTED)
@pytest.mark.parametrize("graph", NESTED)
@pytest.mark.parametrize("mmap", [True, False])
def test_nested_repeats(
    tmp_path: Path, graph: tuple[bool, bool], file: tuple[bool, bool], mmap: bool
) -> None:
    tensors = flat(nested(scan=file[0], inner=file[1]))
    write(tmp_path, layered(scan=graph[0], inner=graph[1]), tensors)
    _, params = bx.load(tmp_path, mmap=mmap)
    assert_same(params, nested(scan=graph[0], inner=graph[1]))


@settings(max_examples=60)
@given(st.data())
def test_any_part_of_the_copies_may_be_numbered(data: st.DataObject) -> None:
    """Three levels, each numbered or stacked as a whole, from headers alone."""
    scans = data.draw(st.tuples(*[st.booleans()] * 3))
    counts = data.draw(st.tuples(*[st.integers(1, 3)] * 3))
    functions = {
        "a": function({"b": repeat("b", counts[1], scan=scans[1])}, {"x": "b"}),
        "b": function({"c": repeat("c", counts[2], scan=scans[2])}, {"x": "c"}),
        "c": function({"up": linear()}, {"x": "up"}),
    }
    main = {"a": repeat("a", counts[0], scan=scans[0])}
    graph = Graph.parse(spec(main, functions=functions))
    tensors: dict[str, TensorInfo] = {}
    numbered = data.draw(st.tuples(*[st.booleans()] * 3))
    for leaf, shape in (("kernel", (8, 8)), ("bias", (8,))):
        stack = tuple(c for c, n in zip(counts, numbered, strict=True) if not n)
        axes = [
            range(c) if n else [None] for c, n in zip(counts, numbered, strict=True)
        ]
        for at in itertools.product(*axes):
            parts = [
                f"{name}.{i}" if i is not None else name
                for name, i in zip("abc", at, strict=True)
            ]
            name = ".".join([*parts, "up", leaf])
            full = (*stack, *shape)
            tensors[name] = TensorInfo(
                name, "float32", full, Path(), 0, 4 * math.prod(full)
            )
    found = fit(Headers(tensors, {}, ()), graph, x64=False)
    assert found.findings == []
    leaves = graph.program().leaves()
    assert set(found.pieces) == set(leaves)
    used = {piece.name for parts in found.pieces.values() for piece in parts}
    assert used == set(tensors)


def experts(count: int | None) -> Graph:
    node = {"op": "map", "function": "expert", "xs": {"x": "x"}, "count": count}
    functions = {"expert": function({"up": linear()}, {"y": "up"})}
    inputs = {"x": {"shape": [3, "batch", 8], "dtype": "float"}}
    return Graph.parse(spec({"e": node}, inputs=inputs, functions=functions))


def test_experts_of_a_map_may_lie_one_by_one(tmp_path: Path) -> None:
    graph = experts(3)
    params = init(graph)
    tensors = {
        f"e.{i}.up.{name}": np.asarray(params["e"]["up"][name][i])
        for i in range(3)
        for name in ("kernel", "bias")
    }
    write(tmp_path, graph, tensors)
    assert_same(bx.load(tmp_path)[1], params)


def test_copies_that_differ_stay_apart(tmp_path: Path) -> None:
    """A list in attributes gives copies of different shapes: no stack can hold them."""
    node = repeat("block", 2, scan=False) | {"attributes": {"features": [4, 6]}}
    block = function(
        {
            "up": linear(features=0) | {"out_features": "$features"},
            "down": linear("up") | {"in_features": "$features"},
        },
        {"x": "down"},
        attributes=["features"],
    )
    graph = Graph.parse(spec({"h": node}, functions={"block": block}))
    params = init(graph)
    bx.save(tmp_path / "own", graph, params)
    assert_same(bx.load(tmp_path / "own")[1], params)
    tensors = flat(params)
    stacked = {f"h.{n}": tensors.pop(f"h.0.{n}") for n in ("up.kernel", "up.bias")}
    write(tmp_path / "odd", graph, tensors | stacked)
    with pytest.raises(bx.WeightsError) as caught:
        bx.load(tmp_path / "odd")
    assert {d.code for d in caught.value.diagnostics} == {
        "weights-missing",
        "weights-unexpected",
    }


def per_layer(tmp_path: Path, change: dict[str, Any]) -> bx.WeightsError:
    tensors: dict[str, Any] = flat(init(layered(scan=False))) | change
    graph = layered(scan=True)
    write(tmp_path, graph, {n: a for n, a in tensors.items() if a is not None})
    with pytest.raises(bx.WeightsError) as caught:
        bx.load(tmp_path)
    return caught.value


def test_differences_speak_of_the_files_own_layout(tmp_path: Path) -> None:
    changes = {
        "h.1.up.kernel": None,
        "h.2.up.bias": np.zeros(9, "float32"),
        "h.3.up.bias": np.zeros(8, "float32"),
        "h.0.up.kernel": np.zeros((8, 8), "int8"),
    }
    assert set(str(per_layer(tmp_path, changes)).splitlines()) == {
        "h.0.up.kernel: expected dtype float, found int8",
        "h.1.up.kernel: expected float[8, 8], found no tensor",
        "h.2.up.bias: expected shape [8], found [9]",
        "h.3.up.bias: expected no tensor here, found float32[8]",
    }


def test_copies_of_two_dtypes_are_stacked_in_one_that_holds_both(
    tmp_path: Path,
) -> None:
    tensors = flat(init(layered(scan=False)))
    tensors["h.2.up.kernel"] = tensors["h.2.up.kernel"].astype(np.float16)
    write(tmp_path, layered(scan=True), tensors)
    kernel = bx.load(tmp_path)[1]["h"]["up"]["kernel"]
    assert kernel.dtype == np.float32
    for i in range(3):
        np.testing.assert_array_equal(kernel[i], tensors[f"h.{i}.up.kernel"])
    _, cast = bx.load(tmp_path, dtype="float16")
    np.testing.assert_array_equal(cast["h"]["up"]["kernel"], kernel.astype("float16"))


def test_copies_that_no_dtype_holds_are_no_stack(tmp_path: Path) -> None:
    dtypes = (jnp.float16, jnp.bfloat16, jnp.float16)
    change = {
        f"h.{i}.up.kernel": np.zeros((8, 8), dtype) for i, dtype in enumerate(dtypes)
    }
    assert str(per_layer(tmp_path, change)) == (
        "h.up.kernel: expected one dtype for the copies that are stacked here, found "
        "float16 and bfloat16"
    )


def test_a_huge_count_is_not_listed(tmp_path: Path) -> None:
    graph = layered(scan=True, depth=2**30)
    tensors = flat(init(layered(scan=False)))
    write(tmp_path, graph, tensors)
    tracemalloc.start()
    with pytest.raises(bx.WeightsError, match=r"h.up.kernel: expected float\[1073741"):
        bx.load(tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000


def test_two_layouts_at_once_are_refused(tmp_path: Path) -> None:
    tensors = flat(init(layered(scan=True))) | flat(init(layered(scan=False)))
    write(tmp_path, layered(scan=True), tensors)
    with pytest.raises(bx.WeightsError, match=r"h.up.bias: expected no tensor here"):
        bx.load(tmp_path)
