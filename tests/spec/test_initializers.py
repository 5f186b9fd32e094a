"""Initialisers with expressions: of attributes alone, one value for each instance."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest
from sample_specs import Data

import blox as bx
from blox.schema.initializers import INITIALIZERS, VarianceScaling

BOUND = "width ** -0.5"


def spec(init: Data, **more: Any) -> Data:
    """Two calls of a layer of other widths, whose bias starts so."""
    node: Data = {"op": "linear", "x": "x", "in_features": "$width", "out_features": 64}
    calls: Data = {
        name: {"op": "call", "function": "layer", "inputs": {"x": x}, "attributes": a}
        for name, x, a in (
            ("a", "x", {"width": 4}),
            ("b", "a", {"width": "$64 * scale"}),
        )
    }
    return {
        "format": "blox/1",
        "name": "bounded",
        "attributes": {"scale": 1},
        "functions": {
            "main": {
                "inputs": {"x": {"shape": ["batch", 4], "dtype": "float"}},
                "nodes": calls,
                "outputs": {"y": "b"},
            },
            "layer": {
                "attributes": ["width"],
                "inputs": {"x": {}},
                "nodes": {"up": {**node, "init": {"bias": init}}},
                "outputs": {"y": "up"},
            },
        },
    } | more


UNIFORM = {"name": "random_uniform", "minval": f"$-({BOUND})", "maxval": f"${BOUND}"}


def test_each_instance_has_its_value() -> None:
    graph = bx.Graph.parse(spec(UNIFORM))
    params = bx.init(graph, jax.random.key(0))
    for name, bound in (("a", 0.5), ("b", 0.125)):
        bias = np.abs(params[name]["up"]["bias"])
        assert 0.9 * bound < bias.max() <= bound
    assert graph.plain() == bx.Graph.parse(graph.plain()).plain()
    written = graph.plain()["functions"]["layer"]["nodes"]["up"]["init"]["bias"]
    assert written == UNIFORM


def test_names_follow_when_a_graph_is_put_into_another() -> None:
    b = bx.GraphBuilder("outer")
    base = b.include(bx.Graph.parse(spec({"name": "constant", "value": "$scale / 4"})))

    @b.entry(x=bx.Input(["batch", 4]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return f.call("inner", base.main)(x)

    params = bx.init(b.graph(), jax.random.key(0))
    np.testing.assert_array_equal(params["inner"]["a"]["up"]["bias"], np.full(64, 0.25))


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("$batch", "main.up: init: expected attributes alone, found batch"),
        ("$1 / (w - 3)", "main.up: init: division by zero"),
        ("$w **", "main.up.init.bias.value: expected a well-formed expression"),
        ("$lost", "main.up.init.bias.value: expected an attribute or a dim"),
    ],
)
def test_faults(value: str, wanted: str) -> None:
    node = {"op": "linear", "x": "x", "in_features": 4, "out_features": 2}
    node |= {"init": {"bias": {"name": "constant", "value": value}}}
    main = {
        "inputs": {"x": {"shape": ["batch", 4], "dtype": "float"}},
        "nodes": {"up": node},
        "outputs": {"y": "up"},
    }
    graph = {"format": "blox/1", "name": "m", "attributes": {"w": 3}}
    with pytest.raises(bx.SpecError) as error:
        bx.Graph.parse(graph | {"functions": {"main": main}}).program()
    assert wanted.split(": ")[-1] in str(error.value)


def test_names_of_other_libraries_are_answered() -> None:
    with pytest.raises(bx.SpecError, match=r"he_normal is \{\"name\": \"variance"):
        bx.Graph.parse(spec({"name": "he_normal"}))


@pytest.mark.parametrize(
    ("axes", "rank"),
    [
        ({"in_axis": [0, 3]}, 3),
        ({"in_axis": [0, 1], "out_axis": [1, 2]}, 3),
        ({"in_axis": 0, "out_axis": -3}, 3),
        ({"batch_axis": -1}, 3),
        ({"in_axis": [], "out_axis": 0}, 1),
    ],
)
def test_axes_that_an_array_lacks_do_not_fit(axes: Any, rank: int) -> None:
    start = VarianceScaling(scale=1.0, mode="fan_in", distribution="normal", **axes)
    assert not start.fits(rank)
    assert INITIALIZERS["variance_scaling"] is VarianceScaling
