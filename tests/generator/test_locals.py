"""Locals of generated functions: what goes on keeps its name, the rest says what it is."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest
from generated_files import assert_same_program
from sample_specs import Data, function, spec

import blox as bx
from blox.codegen.emit.measure import accepts, measure
from blox.schema import Graph

X: Data = {"shape": [3, 4], "dtype": "float"}


def linear(x: str) -> Data:
    return {"op": "linear", "x": x, "in_features": 4, "out_features": 4}


def body(nodes: Data, out: str, inputs: Data | None = None) -> list[str]:
    """The statements of the one function of a file, which is the loader's program, after
    its inputs have the model's dtype.
    """
    data = spec(nodes, inputs=inputs or {"x": X}, outputs={"out": out})
    graph = Graph.parse(data)
    source = bx.generate(graph)
    assert_same_program(graph, source)
    (found,) = (
        f
        for f in ast.parse(source).body
        if isinstance(f, ast.FunctionDef) and f.name == graph.name
    )
    lines = [ast.unparse(s) for s in found.body if not isinstance(s, ast.Expr)]
    return [line for line in lines if ".astype(" not in line]


def test_a_chain_keeps_its_name() -> None:
    nodes = {
        "up": linear("x"),
        "act": {"op": "gelu", "x": "up", "approximate": True},
        "down": linear("act"),
        "mid": {"op": "add", "a": "x", "b": "down"},
        "end": {"op": "softmax", "x": "mid"},
        "more": {"op": "multiply", "a": "end", "b": "mid"},
    }
    *_, act, mid, more = body(nodes, "more")
    assert act.startswith("act = ")  # x is read once more
    assert mid == "x = x + linear(act, **params['down'])"
    assert more.startswith("return softmax(x")
    assert more.endswith(" * x")


def test_branches_have_names_of_their_own() -> None:
    nodes = {
        "one": linear("x"),
        "two": linear("x"),
        "both": {"op": "dot_product_attention", "query": "a", "key": "b", "value": "b"},
        "a": {"op": "reshape", "x": "one", "shape": [3, 1, 4]},
        "b": {"op": "reshape", "x": "two", "shape": [3, 1, 4]},
    }
    order = {n: nodes[n] for n in ("one", "a", "two", "b", "both")}
    first, second, _ = body(order, "both")
    assert first.startswith("a = linear(x")
    assert second.startswith("b = linear(x")  # though nothing reads x any more


def test_an_input_of_another_name_stays() -> None:
    nodes = {
        "first": linear("image"),
        "second": linear("first"),
        "third": {"op": "exp", "x": "second"},
        "fourth": linear("third"),
    }
    first, second, _ = body(nodes, "fourth", {"image": X})
    assert first.startswith("x = linear(image")
    assert second.startswith("x = jnp.exp(linear(x")


def test_layers_that_follow_each_other_have_a_plain_name() -> None:
    nodes: Data = {"first": linear("x"), "one": {"op": "relu", "x": "first"}}
    nodes |= {"second": linear("one"), "two": {"op": "tanh", "x": "second"}}
    nodes |= {"third": linear("two"), "three": {"op": "exp", "x": "third"}}
    nodes |= {"fourth": linear("three"), "sum": {"op": "add", "a": "x", "b": "fourth"}}
    first, second, third, last = body(nodes, "sum")
    assert first.startswith("y = ")  # x goes on beside it
    assert second.startswith("y = ")
    assert third.startswith("y = ")
    assert last.startswith("return x + linear(")


def test_layers_are_written_alike_whatever_comes_before_them() -> None:
    nodes: Data = {}
    x = "x"
    for i in range(3):
        nodes[f"fc_{i}"] = linear(x)
        nodes[f"act_{i}"] = {"op": "relu", "x": f"fc_{i}"}
        nodes[f"fd_{i}"] = linear(f"act_{i}")
        nodes[f"bct_{i}"] = {"op": "relu", "x": f"fd_{i}"}
        nodes[f"end_{i}"] = {"op": "cumsum", "x": f"bct_{i}", "axis": -1}
        x = f"end_{i}"
    (loop,) = body(nodes | {"out": {"op": "multiply", "a": x, "b": x}}, "out")[:-1]
    assert loop.splitlines()[1:] == [
        "    x = jax.nn.relu(linear(x, **params[fc]))",
        "    x = jax.nn.relu(linear(x, **params[fd]))",
        "    x = jnp.cumsum(x, axis=-1)",
    ]


def test_the_next_value_of_an_input_has_its_name() -> None:
    nodes = {
        "mixed": {"op": "multiply", "a": "x", "b": "c"},
        "new": {"op": "tanh", "x": "mixed"},
        "out": {"op": "add", "a": "new", "b": 1.0},
    }
    cell = function(nodes, {"c": "new", "y": "out"}, inputs={"x": {}, "c": {}})
    main = {
        "scan": {
            "op": "scan", "function": "cell", "carry": {"c": "first"}, "xs": {"x": "x"},
        },
        "sum": {"op": "add", "a": "scan.c", "b": "scan.y"},
    }  # fmt: skip
    inputs = {"x": X, "first": {"shape": [4], "dtype": "float"}}
    graph = Graph.parse(spec(main, "sum", inputs, {"cell": cell}))
    source = bx.generate(graph)
    assert_same_program(graph, source)
    assert "    c = jnp.tanh(x * c)\n    return c, c + 1.0\n" in source


def test_what_is_returned_makes_no_detour() -> None:
    inner = function(
        {
            "half": {
                "op": "split",
                "x": "x",
                "names": ["a", "b"],
                "sections": 2,
                "axis": -1,
            }
        },
        {"a": "half.a", "b": "half.b"},
    )
    outer = function(
        {"call": {"op": "call", "function": "inner", "inputs": ["x"]}},
        {"a": "call.a", "b": "call.b"},
    )
    nodes = {
        "parts": {"op": "call", "function": "outer", "inputs": ["x"]},
        "sum": {"op": "add", "a": "parts.a", "b": "parts.b"},
    }
    functions = {"inner": inner, "outer": outer}
    graph = Graph.parse(spec(nodes, "sum", {"x": X}, functions))
    source = bx.generate(graph)
    assert_same_program(graph, source)
    assert "    return inner(x)\n" in source


def test_what_a_function_inside_reads_is_kept() -> None:
    """The carry of the scan is x too: what its body reads of outside may not be."""
    inner = function(
        {"sum": {"op": "add", "a": "x", "b": "other"}},
        {"x": "sum"},
        inputs={"x": {}, "other": {}},
    )
    nodes = {
        "other": {"op": "tanh", "x": "x"},
        "loop": {
            "op": "repeat", "function": "inner", "count": 2,
            "carry": {"x": "start"}, "inputs": {"other": "other"},
        },
        "start": {"op": "negative", "x": "other"},
    }  # fmt: skip
    order = {n: nodes[n] for n in ("other", "start", "loop")}
    graph = Graph.parse(
        spec(order, inputs={"x": X}, outputs={"x": "loop"}, functions={"inner": inner})
    )
    assert_same_program(graph, bx.generate(graph))


def expressions() -> Iterator[tuple[str, list[str], int, bool]]:
    """An expression, what would stand in it, what stands beside it: does it read well?"""
    yield "f(g(x))", ["g(x)"], 0, True
    yield "f(g(x), y, z, a, b)", ["g(x)"], 0, False
    yield "f(g(x, y, z, a))", ["g(x, y, z, a)"], 0, False
    yield "f(x[0], y, z, a)", ["x[0]"], 0, True
    yield "f(g(h(x)))", ["g(h(x))"], 0, False
    yield "f(a * b + c)", ["a * b + c"], 0, True
    yield "f(a * b + c - d)", ["a * b + c - d"], 0, False
    yield "f(g(x) + y)", ["g(x) + y"], 0, False
    yield "x + f(g(x))", ["f(g(x))"], 0, True
    yield "f(x) * g(y)", ["f(x)", "g(y)"], 0, True
    yield "f(g(x)) * f(h(y)) + z", ["f(g(x)) * f(h(y))"], 0, False
    yield "f(x, **p).reshape(2, 3, 4, 5)", ["f(x, **p)"], 0, True
    yield "--x", ["-x"], 0, False
    yield "f(x) @ p['a']['b'] + p['a']['c']", ["f(x)"], 0, False
    yield "f(x) @ p['a'] + p['b']", ["f(x)"], 0, True
    yield "{'a': f(x)}", ["f(x)"], 0, False
    yield "f(g(x), **p)", ["g(x)"], 1, True
    yield "f(g(x, **q), **p, t=t)", ["g(x, **q)"], 1, False


@pytest.mark.parametrize(("text", "parts", "more", "wanted"), [*expressions()])
def test_structure_decides_what_stands_in_an_expression(
    text: str, parts: list[str], more: int, wanted: bool
) -> None:
    built = ast.parse(text, mode="eval").body
    inside = [ast.parse(part, mode="eval").body for part in parts]
    found = accepts(built, measure(built), [(p, measure(p)) for p in inside], more)
    assert found is wanted
    longer = {n.id: n.id * 40 for n in ast.walk(built) if isinstance(n, ast.Name)}
    for node in (n for tree in (built, *inside) for n in ast.walk(tree)):
        if isinstance(node, ast.Name):
            node.id = longer[node.id]
    assert (
        accepts(built, measure(built), [(p, measure(p)) for p in inside], more)
        is wanted
    )


def test_what_has_no_name_has_that_by_which_a_function_takes_it() -> None:
    """`greater_1` says nothing, `mask` does; a name of the Graph stays."""
    masked = function(
        {"y": {"op": "where", "condition": "mask", "a": "x", "b": 0.0}},
        {"x": "y"},
        {"x": {}, "mask": {}},
    )
    for title, expected in (("greater_1", "mask"), ("above", "above")):
        nodes = {
            title: {"op": "greater", "a": "x", "b": 0.0},
            "h": {
                "op": "repeat", "function": "masked", "count": 2,
                "carry": {"x": "x"}, "inputs": {"mask": title},
            },
            "end": {"op": "where", "condition": title, "a": "h", "b": 1.0},
        }  # fmt: skip
        graph = spec(nodes, inputs={"x": X}, functions={"masked": masked})
        source = bx.generate(Graph.parse(graph))
        assert f"    {expected} = x > 0.0\n" in source
        assert_same_program(Graph.parse(graph), source)


def test_outputs_of_a_loop_that_nothing_uses_are_one_name() -> None:
    pair = function(
        {
            "a2": {"op": "add", "a": "a", "b": "b"},
            "b2": {"op": "exp", "x": "b"},
            "y": {"op": "sum", "x": "a2"},
        },
        {"a": "a2", "b": "b2", "y": "y"},
        {"a": {}, "b": {}},
    )
    loop: Data = {
        "op": "repeat", "function": "pair", "count": 2, "carry": {"a": "x", "b": "x"},
    }  # fmt: skip
    graph = spec({"h": loop}, {"y": "h.y"}, inputs={"x": X}, functions={"pair": pair})
    source = bx.generate(Graph.parse(graph))
    assert "    _, y = jax.lax.scan(" in source
    assert_same_program(Graph.parse(graph), source)
