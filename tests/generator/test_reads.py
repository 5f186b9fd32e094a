"""Sizes, bounds and the dtype: read once, where the function begins, or in place."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import pytest
from generated_files import assert_same_program, executed
from sample_specs import Data, function, spec

import blox as bx
from blox.schema import Graph


def sized(nodes: Data, shape: list[Any], **more: Any) -> Graph:
    """A model of one input x of this shape."""
    return Graph.parse(
        spec(nodes, inputs={"x": {"shape": shape, "dtype": "float"}}, **more)
    )


def model(source: str) -> str:
    """The functions of a file."""
    return source.partition("Params = ")[2].partition("# The shape of each")[0]


def times(by: str) -> Data:
    return {"op": "multiply", "a": "x", "b": by}


@pytest.mark.parametrize(
    ("shape", "by", "expected"),
    [
        (["seq", 4], "$seq", "    return x * x.shape[0]\n"),
        (
            ["seq", 4],
            "$seq * seq",
            "    seq = x.shape[0]\n    return x * (seq * seq)\n",
        ),
        (["b", "t"], "$b * t", "    b, t = x.shape\n    return x * (b * t)\n"),
        (["b", "t", 4], "$b * t", "    b, t, _ = x.shape\n    return x * (b * t)\n"),
        (
            ["b", "t", 4, 3],
            "$b * t",
            "    b, t = x.shape[0], x.shape[1]\n    return x * (b * t)\n",
        ),
        (
            ["...", "b", "t"],
            "$b * t",
            "    b, t = x.shape[-2], x.shape[-1]\n    return x * (b * t)\n",
        ),
    ],
)
def test_sizes_are_read_once(shape: list[Any], by: str, expected: str) -> None:
    graph = sized({"y": times(by)}, shape)
    source = bx.generate(graph)
    assert expected in source
    inputs: Any = jnp.ones(
        [2 if d == "..." else d if isinstance(d, int) else 5 for d in shape]
    )
    generated = executed(source)["model"]({}, inputs)
    assert jnp.array_equal(generated, bx.build(graph)({}, inputs)[0])


def zeros(*sizes: Any, dtype: str = "float32") -> Data:
    return {"op": "zeros", "shape": [*sizes], "dtype": dtype}


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        (
            {"y": zeros(2, "$batch", "$seq", 3)},
            "jnp.zeros((2, *x.shape, 3), jnp.float32)",
        ),
        ({"y": zeros("$batch", "$seq")}, "jnp.zeros(x.shape, jnp.float32)"),
        ({"y": zeros("$seq", "$batch")}, "jnp.zeros((seq, batch), jnp.float32)"),
        ({"y": zeros("$batch", 1, "$seq")}, "jnp.zeros((batch, 1, seq), jnp.float32)"),
        ({"y": zeros("$batch")}, "jnp.zeros((x.shape[0],), jnp.float32)"),
        (
            {"z": zeros("$batch", "$seq"), "y": {"op": "add", "a": "z", "b": "$seq"}},
            "jnp.zeros((batch, seq), jnp.float32)",
        ),
    ],
)
def test_all_sizes_of_an_input_in_a_row_are_its_shape(
    nodes: Data, expected: str
) -> None:
    graph = sized(nodes, ["batch", "seq"])
    source = bx.generate(graph)
    assert expected in source
    assert_same_program(graph, source)


def test_the_dtype_has_a_line_of_its_own_beside_a_long_list() -> None:
    table: Data = {"op": "embed", "ids": "x", "num_embeddings": 8, "features": 4}
    for sizes, expected in (
        (("$batch", 4, 1), '((x.shape[0], 4, 1), params["t"]["embedding"].dtype)'),
        (("$batch", 4, 1, 1), "((x.shape[0], 4, 1, 1), dtype)"),
    ):
        nodes = {"t": table, "y": zeros(*sizes, dtype="float")}
        ids = {"x": {"shape": ["batch"], "dtype": "int32"}}
        graph = spec(nodes, {"t": "t", "y": "y"}, inputs=ids)
        assert expected in bx.generate(Graph.parse(graph))


def looped() -> Graph:
    """The carry inside is called as the input is, and has another size."""
    step = function(
        {"sum": {"op": "add", "a": "x", "b": "s"}}, {"x": "sum"}, {"x": {}, "s": {}}
    )
    loop: Data = {
        "op": "repeat", "function": "step", "count": 3, "carry": {"x": "half"},
        "inputs": {"s": "$seq"},
    }  # fmt: skip
    return sized(
        {"half": {"op": "index", "x": "x", "at": ":2"}, "y": loop},
        ["seq", 4],
        functions={"step": step},
    )


def hidden() -> Graph:
    """A node and a function that are called as a dim is."""
    nodes: Data = {
        "seq": {"op": "exp", "x": "x"},
        "more": {"op": "multiply", "a": "seq", "b": "$seq * seq"},
        "half": {"op": "add", "a": "more", "b": "seq"},
        "y": {"op": "call", "function": "batch", "inputs": ["half"]},
    }
    double = function({"y": {"op": "multiply", "a": "x", "b": 2.0}}, "y")
    return sized(nodes, ["batch", "seq"], functions={"batch": double})


def test_a_size_is_that_of_the_input_inside_of_loops_too() -> None:
    source = files()["looped"]
    assert_same_program(looped(), source)
    inputs = jnp.ones((5, 4))
    assert bool((executed(source)["model"]({}, inputs) == 16).all())


def test_a_local_for_a_size_hides_nothing() -> None:
    source = files()["hidden"]
    assert_same_program(hidden(), source)
    assert "seq_ = x.shape[1]" in source


BOUNDS: list[tuple[Data, list[str], str, tuple[int, int], str]] = [
    ({"b": {"max": 4}}, [], "if b > 4:", (5, 2), "expected b=5 <= 4"),
    ({"b": {"min": 2}}, [], "if 2 > b:", (1, 2), "expected 2 <= b=1"),
    (
        {"b": {"min": 2, "max": "$most"}},
        [],
        "if not 2 <= b <= MOST:",
        (9, 2),
        "expected 2 <= b=9 <= 8",
    ),
    (
        {"b": {"max": "$most"}, "t": {"max": "$most"}},
        ["t >= b"],
        "if not b <= t <= MOST:",
        (3, 2),
        "expected b=3 <= t=2 <= 8",
    ),
    ({}, ["b < t"], "if b >= t:", (3, 3), "expected b=3 < t=3"),
    (
        {},
        ["b == 2 * t"],
        "if b != 2 * t:",
        (3, 2),
        "expected b=3 == 2 [*] t, where t=2",
    ),
    (
        {"b": {"multiple_of": 3}},
        [],
        "if b % 3:",
        (4, 2),
        "expected a multiple of 3, found b=4",
    ),
]


@pytest.mark.parametrize(("dims", "constraints", "test", "shape", "message"), BOUNDS)
def test_bounds_say_what_was_found(
    dims: Data, constraints: list[str], test: str, shape: tuple[int, int], message: str
) -> None:
    graph = sized(
        {"y": {"op": "exp", "x": "x"}}, ["b", "t"],
        attributes={"most": 8}, dims=dims, constraints=constraints,
    )  # fmt: skip
    source = bx.generate(graph)
    assert test in source
    with pytest.raises(ValueError, match=f"^{message}$"):
        executed(source)["model"]({}, jnp.ones(shape))
    with pytest.raises(bx.ModelError, match="main"):
        bx.build(graph)({}, jnp.ones(shape))


def test_what_follows_from_other_bounds_is_not_checked() -> None:
    graph = sized(
        {"y": {"op": "exp", "x": "x"}}, ["b", "t"],
        dims={"b": {"min": 1, "max": 8}, "t": {"min": 1, "max": 8}},
        constraints=["t >= b", "b <= t"],
    )  # fmt: skip
    source = model(bx.generate(graph))
    assert source.count("if ") == 1
    assert "if not 1 <= b <= t <= 8:" in source


ZEROS: Data = {"op": "zeros", "shape": [4], "dtype": "float"}
LINEAR: Data = {"op": "linear", "x": "x", "in_features": 4, "out_features": 4}


def called(nodes: Data) -> Graph:
    """A model that calls a function of these nodes, before a layer."""
    return sized(
        {
            "y": {"op": "call", "function": "inner", "inputs": ["x"]},
            "z": LINEAR | {"x": "y"},
        },
        ["batch", 4],
        functions={"inner": function(nodes, next(reversed(nodes)))},
    )


OWN = called(
    {"own": LINEAR, "zeros": ZEROS, "out": {"op": "add", "a": "own", "b": "zeros"}}
)
GIVEN = called({"zeros": ZEROS, "out": {"op": "add", "a": "x", "b": "zeros"}})


def files() -> dict[str, str]:
    """Those that `test_clean` checks."""
    graphs = {"looped": looped(), "hidden": hidden(), "own": OWN, "given": GIVEN}
    return {name: bx.generate(graph) for name, graph in graphs.items()}


def test_the_dtype_is_that_of_an_array_of_the_function() -> None:
    source = files()["own"]
    assert_same_program(OWN, source)
    assert 'jnp.zeros((4,), params["own"]["kernel"].dtype)' in model(source)
    assert "dtype=" not in model(source)


def test_a_function_without_arrays_gets_the_dtype() -> None:
    source = files()["given"]
    assert_same_program(GIVEN, source)
    assert "def inner(x: Array, *, dtype: Any) -> Array:" in source
    assert 'dtype = params["z"]["kernel"].dtype' in source
    assert "inner(x, dtype=dtype)" in source


@pytest.mark.parametrize(
    ("shape", "declared", "expected"),
    [
        (
            ["batch", "seq", 4],
            {},
            ["batch, seq, _ = x.shape\n", "(batch, seq, 2, 2)\n"],
        ),
        (
            ["batch", "seq", 4],
            {"shape": ["b", "t", 4]},
            ["b, t, _ = x.shape\n", "(b, t, 2, 2)\n"],
        ),
        (["batch", 4], {}, ["batch = x.shape[0]\n", "(batch, 2, 2)\n"]),
        (["batch", 3, 4], {}, ["y.reshape(*y.shape[:-1], 2, 2)"]),
        (["...", 4], {}, ["y.reshape(*y.shape[:-1], 2, 2)"]),
        (["batch", "...", 4], {}, ["y.reshape(*y.shape[:-1], 2, 2)"]),
    ],
)
def test_sizes_that_go_through_are_those_of_the_input(
    shape: list[Any], declared: Data, expected: list[str]
) -> None:
    """`linear(x)` has all axes of x but the last, so that it is no local of its own."""
    nodes = {
        "l": LINEAR,
        "a": {"op": "reshape", "x": "l", "shape": ["...", 2, 2]},
        "m": LINEAR,
        "b": {"op": "reshape", "x": "m", "shape": ["...", 2, 2]},
        "y": {"op": "add", "a": "a", "b": "b"},
    }
    parts = function(nodes, "y", {"x": declared})
    call = {"op": "call", "function": "parts", "inputs": ["x"]}
    graph = sized({"z": call}, shape, functions={"parts": parts})
    source = bx.generate(graph)
    for text in expected:
        assert text in source
    assert_same_program(graph, source)


def test_dims_of_one_name_are_read_off_the_input_of_each_function() -> None:
    """The same op with the same sizes in two functions, whose inputs have other names."""

    def flat(title: str) -> Data:
        node = {"op": "reshape", "x": "w", "shape": ["$batch", 6]}
        inputs = {"w": {}, title: {"shape": ["batch", "_"]}}
        return function({"out": node}, "out", inputs)

    graph = Graph.parse(
        spec(
            {
                "a": {"op": "call", "function": "f", "inputs": {"w": "x", "y": "v"}},
                "b": {"op": "call", "function": "g", "inputs": {"w": "x", "z": "a"}},
            },
            inputs={
                "x": {"shape": ["batch", 2, 3], "dtype": "float"},
                "v": {"shape": ["batch", 5], "dtype": "float"},
            },
            functions={"f": flat("y"), "g": flat("z")},
        )
    )
    found = model(bx.generate(graph))
    assert "return w.reshape(y.shape[0], 6)" in found
    assert "return w.reshape(z.shape[0], 6)" in found


def test_sizes_that_differ_from_call_to_call_are_read_off_the_value() -> None:
    nodes = {
        "l": LINEAR,
        "a": {"op": "reshape", "x": "l", "shape": ["...", 2, 2]},
        "m": LINEAR,
        "b": {"op": "reshape", "x": "m", "shape": ["...", 2, 2]},
        "y": {"op": "add", "a": "a", "b": "b"},
    }
    parts = function(nodes, "y", {"x": {}})
    call: Data = {"op": "call", "function": "parts", "inputs": ["x"]}
    graph = sized(
        {
            "sum": {"op": "sum", "x": "x", "axis": 0},
            "one": call,
            "two": call | {"inputs": ["sum"], "params": "one"},
        },
        ["batch", "seq", 4],
        functions={"parts": parts},
        outputs={"one": "one", "two": "two"},
    )
    source = bx.generate(graph)
    assert ".reshape(*y.shape[:-1], 2, 2)" in source
    assert_same_program(graph, source)


@pytest.mark.parametrize(
    ("dtypes", "expected"),
    [
        (["float"], "astype(x.dtype)"),
        (["int32"], "astype(jnp.result_type(x, float))"),
        (["float", "int32"], "astype(jnp.result_type(x, float))"),
    ],
)
def test_the_float_of_a_result_is_that_of_the_operand_where_it_has_one(
    dtypes: list[str], expected: str
) -> None:
    inputs = {f"x{i}": {"shape": [3, 4], "dtype": d} for i, d in enumerate(dtypes)}
    nodes = {f"y{i}": {"op": "softmax", "x": f"x{i}"} for i in range(len(dtypes))}
    sums = {"op": "add", "a": "y0", "b": f"y{len(dtypes) - 1}"}
    graph = Graph.parse(spec({**nodes, "z": sums}, inputs=inputs))
    source = bx.generate(graph)
    assert expected in source
    assert_same_program(graph, source)
