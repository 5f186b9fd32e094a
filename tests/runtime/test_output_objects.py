"""Outputs as objects change nothing that runs, and say how to run it on."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from generated_files import executed
from sample_specs import Data, spec

import blox as bx
from blox.schema import Graph

INPUTS: Data = {
    "x": {"shape": ["batch", 3], "dtype": "float"},
    "total": {"shape": ["batch", 3], "dtype": "float"},
    "step": {"shape": [], "dtype": "int32"},
}
NODES: Data = {
    "sum": {"op": "add", "a": "total", "b": "x"},
    "count": {"op": "add", "a": "step", "b": 1},
    "mean": {"op": "divide", "a": "sum", "b": "count"},
}
OUTPUTS: Data = {
    "mean": {"value": "mean", "shape": ["batch", 3], "doc": "The mean so far."},
    "sum": {"value": "sum", "dtype": "float", "next": "total"},
    "count": {"value": "count", "next": "step", "shape": [], "dtype": "int32"},
}
GRAPH = Graph.parse(spec(NODES, OUTPUTS, INPUTS))
BARE = Graph.parse(spec(NODES, {k: v["value"] for k, v in OUTPUTS.items()}, INPUTS))


def run_on(graph: Graph, call: Any, xs: Any) -> Any:
    """The last outputs, run over `xs` by what the Graph says of its outputs alone."""
    main = graph.functions["main"]
    follows = {o.next: name for name, o in main.outputs.items() if o.next}
    known: Data = {"batch": xs.shape[1]}
    state = {
        name: jnp.zeros(
            [known.get(d, d) for d in given.shape or ()],
            "float32" if given.dtype == "float" else given.dtype,
        )
        for name, given in main.inputs.items()
        if name in follows
    }
    outputs: Data = {}
    for x in xs:
        outputs = call(x=x, **state)
        state = {name: outputs[follows[name]] for name in state}
    return outputs


def test_a_model_runs_on_by_its_next_values() -> None:
    xs = np.arange(24, dtype="float32").reshape(4, 2, 3)
    loaded = bx.build(GRAPH)
    generated = executed(bx.generate(GRAPH))["model"]
    for call in (
        lambda **inputs: loaded({}, **inputs)[0],
        lambda **inputs: generated({}, **inputs),
    ):
        found = run_on(GRAPH, call, xs)
        np.testing.assert_allclose(found["mean"], xs.mean(axis=0), rtol=1e-6)
        assert int(found["count"]) == 4


def test_it_is_the_program_of_one_without() -> None:
    arrays = [
        jax.ShapeDtypeStruct((2, 3), "float32"),
        jax.ShapeDtypeStruct((2, 3), "float32"),
        jax.ShapeDtypeStruct((), "int32"),
    ]
    ours, bare = (
        jax.make_jaxpr(bx.build(graph), return_shape=True)({}, *arrays)
        for graph in (GRAPH, BARE)
    )
    assert str(ours[0]) == str(bare[0])
    assert ours[1] == bare[1]
    assert GRAPH.digest != BARE.digest
