"""Shapes of every node as plain data, for those who import no JAX."""

from __future__ import annotations

import json
from pathlib import Path

import jax
import jax.numpy as jnp
from sample_specs import Data, function, spec
from saved_models import linear

import blox as bx
from blox.schema import Graph
from blox.schema.known import Known
from blox.show.flops import measure

MODELS = Path(__file__).parents[1] / "models"


def test_what_all_calls_of_a_function_have_in_common() -> None:
    inputs: Data = {
        "x": {"shape": ["batch", "seq", 8], "dtype": "float"},
        "ids": {"shape": ["batch"], "dtype": "int32"},
    }
    call = {"op": "call", "function": "f"}
    nodes = {
        "twice": {"op": "concatenate", "xs": ["x", "x"], "axis": 1},
        "a": call | {"inputs": {"x": "x"}},
        "b": call | {"inputs": {"x": "twice"}},
        "c": call | {"inputs": {"x": "ids"}},
    }
    f = function({"y": {"op": "negative", "x": "x"}}, "y")
    graph = Graph.parse(
        spec(
            nodes,
            {"a": "a", "b": "b"},
            inputs,
            {"f": f},
            dims={"seq": {"multiple_of": 4}},
        )
    )
    table = {i.name: known for i, known in measure(graph).shapes.items()}
    assert table["main"]["twice"] == (Known(("batch", "2*seq", 8), "float32"),)
    assert table["main"]["c"] == (Known(("batch",), "int32"),)
    assert table["f"]["y"] == (Known(None, None),)
    del nodes["c"]
    graph = Graph.parse(spec(nodes, {"a": "a", "b": "b"}, inputs, {"f": f}))
    table = {i.name: known for i, known in measure(graph).shapes.items()}
    assert table["f"]["y"] == (Known(("batch", None, 8), "float32"),)


def test_outputs_are_as_the_model_gives_them() -> None:
    graph = Graph.parse(json.loads((MODELS / "minilm.json").read_text()))
    entry = next(iter(graph.program().entries.values()))
    known = {i.name: t for i, t in measure(graph).shapes.items()}[entry.name]
    params = jax.eval_shape(lambda: bx.init(graph, jax.random.key(0)))
    ids = jax.ShapeDtypeStruct((2, 5), jnp.int32)
    outputs, _ = jax.eval_shape(bx.build(graph), params, ids)
    sizes = {"batch": 2, "seq": 5}
    arg = next(iter(entry.outputs.values()))
    assert arg.source is not None
    found = known[arg.source][arg.output]
    assert found is not None
    assert found.shape is not None
    first = next(iter(outputs.values())) if isinstance(outputs, dict) else outputs
    assert tuple(sizes.get(str(s), s) for s in found.shape) == first.shape
    assert found.dtype == str(first.dtype)


def test_a_fault_leaves_rank_and_dtype_known() -> None:
    nodes = {
        "bad": {"op": "reshape", "x": "x", "shape": ["$batch", 2, 5]},
        "y": {"op": "relu", "x": "bad"},
        "z": linear(),
    }
    (known,) = measure(Graph.parse(spec(nodes, {"y": "y", "z": "z"}))).shapes.values()
    assert known["y"] == (Known((None, None, None), "float32"),)
    assert known["z"] == (Known(("batch", 8), "float32"),)
