"""%, min, max and powers of attributes and dims, in the loader and in generated files.

NumPy and Python's own min and max say what is right.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from generated_files import (
    assert_same_program,
    executed,
)
from hostile_specs import SPECS
from jax import export
from sample_specs import Data, function, spec
from work import counted

import blox as bx
from blox.schema import Graph, Report
from blox.shapes.check import check_shapes

SCALED = function(
    {
        "size": {
            "op": "full",
            "shape": ["$min(n, k) % 5 + 1"],
            "fill_value": "$k ** 2",
            "dtype": "float",
        },
        "sum": {"op": "sum", "x": "size", "axis": None},
        "by": {"op": "multiply", "a": "x", "b": "$max(k % 3, 1, n)"},
        "out": {"op": "multiply", "a": "by", "b": "sum"},
    },
    {"x": "out"},
    {"x": {"shape": ["...", "n"]}},
    attributes=["k"],
)
GRAPH = Graph.parse(
    spec(
        {
            "cut": {"op": "index", "x": "x", "at": "..., :$min(seq, limit)"},
            "pad": {
                "op": "pad",
                "x": "cut",
                "pad_width": [[0, "$-batch % 4"], [0, "$max(limit - seq, 0)"]],
            },
            "odd": {
                "op": "call",
                "function": "scaled",
                "inputs": ["pad"],
                "attributes": {"k": "$limit % 4"},
            },
            "even": {
                "op": "call",
                "function": "scaled",
                "inputs": ["odd"],
                "attributes": {"k": "$min(limit, 4, 2 ** 5)"},
            },
            "loop": {
                "op": "scan",
                "function": "count",
                "carry": {"c": "$max(batch, seq) ** 2 % 7"},
                "length": "$min(limit, 3)",
                "inputs": {"by": "$min(seq / 2, 1.5)"},
            },
            "end": {"op": "add", "a": "even", "b": "loop.c"},
        },
        inputs={"x": {"shape": ["batch", "seq"], "dtype": "float"}},
        functions={
            "scaled": SCALED,
            "count": function(
                {
                    "next": {"op": "add", "a": "c", "b": 3},
                    "twice": {"op": "multiply", "a": "by", "b": 2},
                },
                {"c": "next", "twice": "twice"},
                {"c": {}, "by": {}},
            ),
        },
        attributes={"limit": 7},
        constraints=["max(batch, seq) <= 64", "batch % 2 + seq >= 1"],
    )
)
SIZES = [(2, 3), (4, 7), (3, 12), (1, 1)]


def wanted(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The model by hand, for a limit of 7."""
    batch, seq = x.shape
    found: np.ndarray[Any, Any] = np.zeros((batch + -batch % 4, 7))
    found[:batch, : min(seq, 7)] = x[:, : min(seq, 7)]
    for k in (3, 4):
        count = min(7, k) % 5 + 1
        found = found * max(k % 3, 1, 7) * (count * k**2)
    return np.asarray(found + (max(batch, seq) ** 2 % 7 + 3 * 3))


@pytest.fixture(scope="module")
def source() -> str:
    return bx.generate(GRAPH)


def test_the_loader_and_the_file_are_one_program(source: str) -> None:
    assert_same_program(GRAPH, source)


def files() -> dict[str, str]:
    """Those that `test_clean` checks."""
    return {"all": bx.generate(GRAPH)}


def test_the_file_is_one_that_people_would_write(source: str) -> None:
    assert "min_dim(seq, LIMIT)" in source
    assert "max_dim(max_dim(k % 3, 1), n)" in source
    assert "-batch % 4" in source
    assert "min(seq / 2, 1.5)" in source
    assert "k**2" in source


@pytest.mark.parametrize("sizes", SIZES)
def test_against_numpy(sizes: tuple[int, int], source: str) -> None:
    x = np.arange(1.0, 1 + np.prod(sizes)).reshape(sizes)
    found = executed(source)["model"]({}, jnp.asarray(x, "float32"))
    np.testing.assert_allclose(found, wanted(x), rtol=1e-6)
    loaded, _ = bx.build(GRAPH)({}, jnp.asarray(x, "float32"))
    np.testing.assert_array_equal(loaded, found)


def test_symbolic_sizes() -> None:
    """One export serves all sizes: the branches of min and max are not taken early."""
    nodes: Data = {
        "cut": {"op": "index", "x": "x", "at": "..., :$min(seq, 7)"},
        "more": {
            "op": "pad",
            "x": "cut",
            "pad_width": [[0, "$-batch % 4"], [0, "$max(batch, seq, 2) ** 2"]],
        },
    }
    graph = Graph.parse(
        spec(nodes, inputs={"x": {"shape": ["batch", "seq"], "dtype": "float"}})
    )
    shape = export.symbolic_shape("batch, seq")
    generated = executed(bx.generate(graph))["model"]
    loaded = bx.build(graph)
    for called in (lambda params, x: loaded(params, x)[0], generated):
        exported = export.export(jax.jit(called))(
            {}, jax.ShapeDtypeStruct(shape, "float32")
        )
        for batch, seq in SIZES:
            x = jnp.ones((batch, seq))
            found = exported.call({}, x)
            rows = batch + -batch % 4
            assert found.shape == (rows, min(seq, 7) + max(batch, seq, 2) ** 2)
            np.testing.assert_array_equal(found, called({}, x))


def test_the_shape_engine_knows_them_for_all_sizes() -> None:
    report = Report()
    check_shapes(GRAPH, report)
    assert [str(d) for d in report.diagnostics] == []


@pytest.mark.parametrize(
    ("sizes", "text", "written"),
    [
        (
            (65, 3),
            r"expected max\(batch, seq\) <= 64, found batch 65, seq 3",
            r"expected max_dim\(batch, seq\) <= 64",
        ),
        (
            (2, 0),
            r"expected batch % 2 \+ seq >= 1, found batch 2, seq 0",
            r"expected 1 <= batch % 2 \+ seq",
        ),
    ],
)
def test_constraints(
    sizes: tuple[int, int], text: str, written: str, source: str
) -> None:
    with pytest.raises(bx.ModelError, match=text):
        bx.build(GRAPH)({}, jnp.zeros(sizes))
    with pytest.raises(ValueError, match=written):
        executed(source)["model"]({}, jnp.zeros(sizes))


def test_a_division_by_zero_names_the_node() -> None:
    nodes = {"n": {"op": "zeros", "shape": ["$8 % (batch - 3)"], "dtype": "float"}}
    graph = Graph.parse(spec(nodes))
    assert bx.build(graph)({}, jnp.zeros((8, 8)))[0].shape == (3,)
    with pytest.raises(bx.ModelError, match=r"main\.n.*division by zero"):
        bx.build(graph)({}, jnp.zeros((3, 8)))


def test_a_default_of_a_helper() -> None:
    """Numbers of the file that all calls share are decided when it is imported."""
    node: Data = {"op": "batch_norm", "features": 8, "momentum": 0.9}
    node |= {"eps": "$max(limit, 1) % 4 / 1000"}
    nodes = {"a": node | {"x": "x"}, "b": node | {"x": "a"}}
    graph = Graph.parse(spec(nodes, attributes={"limit": 7}))
    source = bx.generate(graph)
    assert_same_program(graph, source)
    assert "eps: float = max(LIMIT, 1) % 4 / 1000" in source


def test_many_constraints_are_each_written_once() -> None:
    """Of 300 that overlap, every side is made a text once, however many there are."""
    made = Graph.parse(SPECS["relations"])
    made.program()
    with counted() as work:
        text = bx.generate(made)
    assert work.calls < 5_000_000
    assert text.count("raise ValueError") > 100
