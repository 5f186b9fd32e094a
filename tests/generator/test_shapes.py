"""SHAPES of generated files: written with the file's constants, as the Graph says them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
from generated_files import executed
from sample_specs import Data, function, spec

import blox as bx
from blox.schema import Graph, from_bytes

MODELS = Path(__file__).parents[1] / "models"


def shapes_of(graph: Graph) -> Any:
    params = jax.eval_shape(lambda: bx.init(graph, jax.random.key(0)))
    return jax.tree.map(lambda x: x.shape, params)


def shapes_in(names: dict[str, Any]) -> Any:
    """The shapes of what a file draws: those of its SHAPES, with the axes of copies."""
    params = jax.eval_shape(names["init_params"], jax.random.key(0))
    return jax.tree.map(lambda x: x.shape, params)


def table(source: str) -> str:
    return source[source.index("SHAPES: ") : source.index("\n}\n")]


def test_other_constants_are_another_size_of_the_model() -> None:
    graph = from_bytes((MODELS / "tiny_gpt.json").read_bytes())
    source = bx.generate(graph)
    constants = "VOCAB, WIDTH, DEPTH, HEADS, CONTEXT = 64, 32, 3, 4, 16"
    assert constants in source
    other = constants.replace("64, 32, 3,", "80, 48, 2,")
    graph = graph.replace_attributes(vocab=80, width=48, depth=2)
    found = executed(source.replace(constants, other))
    assert shapes_in(found) == shapes_of(graph)
    assert found["SHAPES"]["h"][0] == 2
    assert found["SHAPES"]["h"][1] == found["BLOCK"]


def model() -> Graph:
    """Sizes given through attributes of functions, computed, cycled, from min."""
    sizes: Data = {"in_features": "$width", "out_features": "$inner"}
    part = function(
        {
            "up": {"op": "linear", "x": "x", **sizes},
            "down": {
                "op": "linear",
                "x": "up",
                "in_features": "$inner",
                "out_features": "$width",
            },
        },
        {"x": "down"},
        attributes=["inner"],
    )
    wide = function(
        {
            "a": call("x", inner="$2 * scale * width"),
            "b": call("a", inner="$min(scale, 3)"),
            "c": call("b", inner=7),
        },
        {"x": "c"},
        attributes=["scale"],
    )
    nodes: Data = {
        "wide": {**call("x"), "function": "wide", "attributes": {"scale": 5}},
        "cycle": {
            "op": "repeat", "function": "part", "count": 4, "scan": False,
            "carry": {"x": "wide"}, "attributes": {"inner": [2, "$width"]},
        },
        "deep": {
            "op": "repeat", "function": "part", "count": "$depth", "scan": True,
            "carry": {"x": "cycle"}, "attributes": {"inner": "$width // 2"},
        },
    }  # fmt: skip
    data = spec(
        nodes,
        inputs={"x": {"shape": ["batch", 6], "dtype": "float"}},
        functions={"part": part, "wide": wide},
    )
    return Graph.parse(data | {"attributes": {"width": 6, "depth": 3}})


def call(x: str, **attributes: Any) -> Data:
    return {
        "op": "call", "function": "part", "inputs": {"x": x}, "attributes": attributes
    }  # fmt: skip


def test_sizes_are_written_as_calls_give_them() -> None:
    graph = model()
    source = bx.generate(graph)
    assert shapes_in(executed(source)) == shapes_of(graph)
    text = " ".join(table(source).split())
    wide = '"a": part_shapes(10 * WIDTH), "b": part_shapes(3), "c": part_shapes(7)'
    assert wide in text
    assert '"cycle": [part_shapes(2), part_shapes(6)] * 2' in text
    assert '"deep": (DEPTH, part_shapes(WIDTH // 2))' in text
    assert '"up": {"kernel": (WIDTH, inner), "bias": (inner,)}' in source


def test_arrays_of_one_shape_side_by_side_are_one_row() -> None:
    norm = {"op": "batch_norm", "x": "x", "features": 3}
    source = bx.generate(Graph.parse(spec({"y": norm})))
    wanted = '{"y": dict.fromkeys(("scale", "bias", "mean", "var"), (3,))}'
    assert wanted in source


def layered(count: int, kernel: str = "$kernel") -> Graph:
    """Layers of other sizes each, one of them in a list of copies."""
    conv: Data = {"op": "conv", "x": "x", "in_features": "$features // 2"}
    conv |= {"out_features": "$features", "kernel_size": [kernel], "groups": 1}
    norm: Data = {"op": "batch_norm", "x": "conv", "features": "$features"}
    dense: Data = {"op": "linear", "x": "norm", "in_features": "$features"}
    dense |= {"out_features": "$width", "use_bias": False}
    body = {"conv": conv, "norm": norm, "dense": dense}
    layer = function(body, {"x": "dense"}, attributes=["features", "kernel", "unused"])
    copies: Data = {"op": "repeat", "function": "layer", "count": 2, "scan": False}
    copies |= {"carry": {"x": "x"}, "attributes": {"features": 8, "kernel": 3}}
    copies["attributes"]["unused"] = 1
    nodes: Data = {"copies": copies}
    for i in range(count):
        sizes = {"features": 8, "kernel": 3 + i, "unused": i}
        inputs = [f"call_{i - 1}" if i else "copies"]
        nodes[f"call_{i}"] = {"op": "call", "function": "layer", "inputs": inputs}
        nodes[f"call_{i}"]["attributes"] = sizes
    x: Data = {"x": {"shape": ["batch", "time", "$width"], "dtype": "float"}}
    return Graph.parse(
        spec(nodes, inputs=x, functions={"layer": layer}, attributes={"width": 4})
    )


def test_functions_that_are_called_again_have_a_function_of_shapes() -> None:
    graph = layered(3)
    source = bx.generate(graph)
    assert "def layer_shapes(features: int, kernel: int) -> Params:" in source
    assert '"kernel": (kernel, features // 2, features)' in source
    assert '"copies": [layer_shapes(8, 3)] * 2,' in source
    assert '"call_2": layer_shapes(8, 5),' in source
    names = executed(source)
    assert shapes_in(names) == names["SHAPES"] == shapes_of(graph)
    called: dict[str, Any] = names["layer_shapes"](6, 2)
    assert called["conv"]["kernel"] == (2, 3, 6)
    assert called["dense"]["kernel"] == (6, 4)


def test_a_function_of_shapes_is_written_where_it_saves_lines() -> None:
    assert "layer_shapes" not in bx.generate(layered(1))
    assert "layer_shapes" in bx.generate(layered(2))


def test_arrays_that_lie_in_copies_or_twice_have_a_table_of_their_own() -> None:
    source = bx.generate(layered(1))
    assert (
        'LAYER: Params = {\n    "conv": {"kernel": (3, 4, 8), "bias": (8,)},' in source
    )
    assert 'SHAPES: Params = {"copies": [LAYER] * 2, "call_0": LAYER}' in source


def test_copies_on_an_axis_are_a_number_and_the_shapes_of_one() -> None:
    """Copies of copies, too."""
    gained: Data = {
        "gain": {"op": "param", "shape": [2]},
        "y": {"op": "multiply", "a": "x", "b": "gain"},
    }
    once: Data = {"op": "map", "function": "gained", "inputs": {"x": "x"}, "count": 1}
    rows: Data = {
        "a": {**once, "count": 3},
        "b": {**once, "count": 4},
        "y": {"op": "sum", "x": "b", "axis": 0},
    }
    nodes: Data = {
        "rows": {**once, "function": "row", "count": 5},
        "more": {"op": "param", "shape": [2]},
        "y": {"op": "add", "a": "rows", "b": "more"},
    }
    functions = {
        "gained": function(gained, {"y": "y"}),
        "row": function(rows, {"y": "y"}),
    }
    graph = Graph.parse(
        spec(nodes, inputs={"x": {"shape": [2], "dtype": "float"}}, functions=functions)
    )
    names = executed(bx.generate(graph))
    assert shapes_in(names) == shapes_of(graph)
    gain = {"gain": (2,)}
    rows = {"a": (3, gain), "b": (4, gain)}
    assert names["SHAPES"] == {"rows": (5, rows), "more": (2,)}
