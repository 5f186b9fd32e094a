"""`replace_attributes`: a model of other sizes is sound, or refused with what to write."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from sample_specs import spec

import blox as bx


def flat(f: bx.F, x: bx.Value) -> bx.Value:
    return f.linear("l", f.flatten(x, 1), 2, in_features=48)


def of(features: Any = None) -> bx.Graph:
    b = bx.GraphBuilder("m", width=8)

    @b.entry(x=bx.Input(["batch", 6, b.width]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return f.linear("l", f.flatten(x, 1), 2, in_features=features)

    return b.graph()


def test_a_number_that_stays_is_named() -> None:
    with pytest.raises(bx.SpecError) as caught:
        of(48).replace_attributes(width=16)
    (found,) = caught.value.diagnostics
    assert (found.code, found.path) == ("shape", "main.l")
    assert "(96,) and (48,)" in found.message
    assert found.hint == (
        "a number stays as it is: main.l.in_features 48; write what it is made of, "
        "such as `$2 * width`"
    )


def test_what_is_made_of_attributes_follows() -> None:
    graph = of().replace_attributes(width=16)
    params = bx.init(graph, jax.random.key(0))
    y, _ = bx.build(graph)(params, jnp.zeros((3, 6, 16)))
    assert y.shape == (3, 2)


def test_a_number_in_a_function_that_is_called() -> None:
    b = bx.GraphBuilder("m", width=8)

    @b.entry(x=bx.Input(["batch", 6, b.width]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return f.call("head", flat)(x)

    with pytest.raises(bx.SpecError) as caught:
        b.graph().replace_attributes(width=16)
    (found,) = caught.value.diagnostics
    assert found.path == "main.head.l"
    assert "flat.l.in_features 48" in found.hint


def test_numbers_of_the_function_where_the_node_has_none() -> None:
    nodes = {
        "fixed": {"op": "zeros", "shape": [8], "dtype": "float"},
        "y": {"op": "add", "a": "x", "b": "fixed"},
    }
    inputs = {"x": {"shape": ["batch", "$width"], "dtype": "float"}}
    graph = bx.Graph.parse(spec(nodes, inputs=inputs, attributes={"width": 8}))
    with pytest.raises(bx.SpecError, match=r"main.fixed.shape 8; write what it is"):
        graph.replace_attributes(width=16)


def test_structure_is_checked_too() -> None:
    nodes = {"y": {"op": "dropout", "x": "x", "rate": "$rate"}}
    graph = bx.Graph.parse(spec(nodes, attributes={"rate": 0.5}))
    with pytest.raises(bx.SpecError, match=r"main.y.rate: expected at least 0 and"):
        graph.replace_attributes(rate=1.5)


def test_the_schema_alone_needs_no_jax() -> None:
    code = (
        "import json, sys\n"
        "from blox.schema import Graph, SpecError\n"
        "graph = Graph.parse(json.loads(sys.argv[1]))\n"
        "assert graph.replace_attributes(width=16).attributes == {'width': 16}\n"
        "assert 'jax' not in sys.modules\n"
        "import blox as bx\n"
        "bx.Graph\n"
        "try: graph.replace_attributes(width=16)\n"
        "except SpecError: pass\n"
        "else: raise AssertionError\n"
    )
    data = json.dumps(of(48).plain())
    subprocess.run([sys.executable, "-c", code, data], check=True)


def test_numbers_that_are_in_no_ones_way_are_not_named() -> None:
    b = bx.GraphBuilder("m", width=8)

    def same(f: bx.F, x: bx.Value) -> bx.Value:
        return x + f.conv("h", x, 8, [3, 3])

    @b.entry(x=bx.Input(["batch", 6, 6, b.width]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return f.call("c", same)(x)

    with pytest.raises(bx.SpecError) as caught:
        b.graph().replace_attributes(width=16)
    (found,) = caught.value.diagnostics
    assert found.hint.startswith("a number stays as it is: same.h.out_features 8; ")
