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


def spec(init: Data | str, **more: Any) -> Data:
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


def of_a_bias(init: Data) -> bx.Graph:
    node = {"op": "linear", "x": "x", "in_features": 4, "out_features": 3}
    main = {
        "inputs": {"x": {"shape": ["batch", 4], "dtype": "float"}},
        "nodes": {"up": {**node, "init": {"bias": init}}},
        "outputs": {"y": "up"},
    }
    graph = {"format": "blox/1", "name": "m", "attributes": {"w": 3}}
    return bx.Graph.parse(graph | {"functions": {"main": main}})


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("$batch", "expected attributes alone, found batch"),
        ("$1 / (w - 3)", "division by zero, found '$1 / (w - 3)'"),
        ("$w **", "expected a well-formed expression, found '$w **'"),
        ("$lost", "expected an attribute or a dim, found 'lost', which is none here"),
    ],
)
def test_faults(value: str, wanted: str) -> None:
    with pytest.raises(bx.SpecError) as error:
        of_a_bias({"name": "constant", "value": value}).program()
    assert str(error.value) == f"main.up.init.bias.value: {wanted}"


@pytest.mark.parametrize(
    ("init", "wanted"),
    [
        ({"name": "normal", "stddev": -1},
         "stddev: expected a number of at least 0, found -1.0"),
        ({"name": "normal", "stddev": "$1 - w"},
         "stddev: expected a number of at least 0, found -2.0"),
        ({"name": "truncated_normal", "stddev": -0.5},
         "stddev: expected a number of at least 0, found -0.5"),
        ({"name": "truncated_normal", "lower": 2, "upper": 1},
         "upper: expected above lower, 2.0, found 1.0"),
        ({"name": "uniform", "scale": -1},
         "scale: expected a number of at least 0, found -1.0"),
        ({"name": "random_uniform", "minval": 1, "maxval": "$w - 3"},
         "maxval: expected a number of at least 1.0, found 0.0"),
        ({"name": "progression", "of": "log"},
         "start: expected numbers above 0 for log, found 0.0 to 2.0"),
        ({"name": "progression", "of": "sqrt", "start": 1, "step": -1},
         "step: expected numbers of at least 0 for sqrt, found 1.0 to -1.0"),
        ({"name": "progression", "of": "reciprocal", "start": -1},
         "step: expected numbers other than 0 for reciprocal, found -1.0 to 1.0"),
        ({"name": "progression", "of": "exp", "step": 50},
         "step: expected numbers of at most 88.7 for exp, found 0.0 to 100.0"),
        ({"name": "progression", "start": 1e39},
         "start: expected numbers that float32 has, found 1e+39 to 1e+39"),
    ],
)  # fmt: skip
def test_arguments_that_make_no_sense(init: Data, wanted: str) -> None:
    with pytest.raises(bx.SpecError) as error:
        of_a_bias(init).program()
    assert str(error.value) == f"main.up.init.bias.{wanted}"


def test_a_scale_of_variance_is_above_0() -> None:
    data = of_a_bias({"name": "zeros"}).plain()
    kernel = {"name": "variance_scaling", "scale": 0, "mode": "fan_in"}
    kernel |= {"distribution": "normal"}
    data["functions"]["main"]["nodes"]["up"]["init"] = {"kernel": kernel}
    with pytest.raises(bx.SpecError, match=r"kernel\.scale: expected a number above 0"):
        bx.Graph.parse(data).program()


@pytest.mark.parametrize(
    "init",
    [
        {"name": "progression", "of": "reciprocal", "start": -0.5},
        {"name": "progression", "of": "exp", "start": -1000, "step": 500},
        {"name": "normal", "stddev": 0},
        {"name": "random_uniform", "minval": 1, "maxval": 1},
    ],
)
def test_arguments_at_the_edge(init: Data) -> None:
    params = bx.init(of_a_bias(init), jax.random.key(0))
    assert np.isfinite(params["up"]["bias"]).all()


def test_names_of_other_libraries_are_answered() -> None:
    with pytest.raises(bx.SpecError, match=r"he_normal is \{\"name\": \"variance"):
        bx.Graph.parse(spec({"name": "he_normal"}))
    for name in ("he_normal", "normal"):
        with pytest.raises(bx.SpecError, match=rf"{name} is \{{\"name\": "):
            bx.Graph.parse(spec(name))


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
