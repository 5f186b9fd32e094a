"""`bx.validate` on shapes: wrong ones are found by graph path, right ones pass."""

from __future__ import annotations

from typing import Any

import pytest
from golden_models import EACH, graph_of
from sample_specs import Data, function, spec
from saved_models import linear

import blox as bx
from blox.schema import Diagnostic, Graph

SEQ: Data = {"x": {"shape": ["batch", "seq", 8], "dtype": "float"}}
TWO: Data = {
    "a": {"shape": ["n", 8], "dtype": "float"},
    "b": {"shape": ["m", 8], "dtype": "float"},
}


def found(data: Data) -> list[Diagnostic]:
    return bx.validate(Graph.parse(data)).diagnostics


def only(data: Data) -> Diagnostic:
    (diagnostic,) = found(data)
    return diagnostic


def nested(node: Data) -> Data:
    """`node` two calls deep, the inner one a scanned repeat."""
    inner = function({"bad": node}, {"x": "bad"})
    step = {"op": "repeat", "function": "inner", "count": 2, "carry": {"x": "x"}}
    outer = function({"h": step}, {"y": "h"})
    call = {"op": "call", "function": "outer", "inputs": {"x": "x"}}
    functions = {"inner": inner, "outer": outer}
    return spec({"top": call}, inputs=SEQ, functions=functions)


def reshape(*shape: int | str, x: str = "x") -> Data:
    return {"op": "reshape", "x": x, "shape": list(shape)}


@pytest.mark.parametrize(
    ("node", "text"),
    [
        (reshape("$batch", "$seq", 9), "cannot reshape array of shape (2, 3, 8)"),
        (linear() | {"in_features": 7}, "dot_general requires contracting dimensions"),
        (linear(features=9), "carry"),
    ],
)
def test_a_wrong_node_in_nested_functions(node: Data, text: str) -> None:
    if node["op"] == "reshape":
        data = nested(node)
        data["functions"]["inner"]["inputs"] = {"x": {"shape": ["batch", "seq", 8]}}
    else:
        data = nested(node)
    error = only(data)
    assert (error.code, error.severity) == ("shape", "error")
    # A carry that changes its shape is no node's fault but the loop's.
    assert error.path == (f"main.top.h.{'carry.x' if text == 'carry' else 'bad'}")
    assert text in error.message


@pytest.mark.parametrize("name", EACH)
def test_whole_models_pass(name: str) -> None:
    report = bx.validate(graph_of(name))
    assert report.ok, str(report)


def test_sizes_within_bounds_decide() -> None:
    """Half a sequence: right where it is even, wrong where it may be odd."""
    nodes = {"y": reshape("$batch", "$seq // 2", 2, 8)}
    wrong = only(spec(nodes, inputs=SEQ))
    assert wrong.path == "main.y"
    assert "at batch=2, seq=3" in wrong.message
    assert wrong.hint == (
        "it holds at batch=64, seq=128: say in dims (min, max, multiple_of) or "
        "constraints which sizes are meant"
    )
    assert found(spec(nodes, inputs=SEQ, dims={"seq": {"multiple_of": 2}})) == []
    bounds = {"seq": {"min": 6, "max": 6}}
    assert found(spec(nodes, inputs=SEQ, dims=bounds)) == []
    dims = {"seq": {"multiple_of": 3}}
    assert only(spec(nodes, inputs=SEQ, dims=dims)).severity == "error"


def test_dims_of_two_names_may_differ() -> None:
    nodes = {"y": {"op": "add", "a": "a", "b": "b"}}
    error = only(spec(nodes, inputs=TWO))
    assert error.path == "main.y"
    assert "(2, 8), (3, 8)" in error.message
    assert found(spec(nodes, inputs=TWO, constraints=["n == m"])) == []


def test_constraints_are_kept_by_the_sizes_that_are_tried() -> None:
    """A table of `cached` rows into which `seq` rows are written."""
    inputs = {
        "cache": {"shape": ["cached", 8], "dtype": "float"},
        "x": {"shape": ["seq", 8], "dtype": "float"},
    }
    write = {
        "op": "dynamic_update_slice",
        "x": "cache",
        "update": "x",
        "start": [0],
        "axis": [0],
    }
    data = spec({"y": write}, inputs=inputs)
    assert only(data).severity == "error"
    assert found(data | {"constraints": ["cached >= seq"]}) == []
    assert found(data | {"constraints": ["cached > 2 * seq"]}) == []


def test_an_update_has_the_other_axes_of_what_it_is_written_into() -> None:
    inputs = {
        "cache": {"shape": ["cached", 8], "dtype": "float"},
        "x": {"shape": [2, 3], "dtype": "float"},
    }
    write = {
        "op": "dynamic_update_slice",
        "x": "cache",
        "update": "x",
        "start": [0],
        "axis": [0],
    }
    data = spec({"y": write}, inputs=inputs) | {"dims": {"cached": {"min": 2}}}
    error = only(data)
    assert error.path == "main.y.update"
    assert error.message.startswith("expected size 8 of axis 1, as x has, found 3")
    both = write | {"start": [0, 5], "axis": [0, 1]}
    assert found(data | spec({"y": both}, inputs=inputs)) == []


def test_what_jax_cannot_decide_is_a_warning() -> None:
    """Rounding up in two ways is equal, but not to JAX."""
    x: Data = {"x": {"shape": ["n", 8], "dtype": "float"}}
    nodes: Data = {
        "a": {"op": "zeros", "shape": ["$-(-n // 2)"], "dtype": "float"},
        "b": {"op": "zeros", "shape": ["$(n - 1) // 2 + 1"], "dtype": "float"},
        "y": {"op": "add", "a": "a", "b": "b"},
    }
    warning = only(spec(nodes, inputs=x))
    assert (warning.code, warning.severity) == ("shape-undecided", "warning")
    assert warning.path == "main.y"
    assert warning.hint.startswith("it holds at n=2; n=1; n=")
    nodes["b"]["shape"] = ["$n // 2 + 1"]
    assert only(spec(nodes, inputs=x)).severity == "error"


def test_any_leading_axes_and_ignored_ones() -> None:
    leading: Data = {"x": {"shape": ["...", 8], "dtype": "float"}}
    assert found(spec({"y": linear()}, inputs=leading)) == []
    bad = {"y": linear() | {"in_features": 7}}
    assert only(spec(bad, inputs=leading)).path == "main.y"
    # Fine with one leading axis, not with none.
    one = {"y": {"op": "mean", "x": "x", "axis": [-2]}}
    assert "at batch" not in str(found(spec(one, inputs=leading)))
    ignored: Data = {"x": {"shape": ["_", 8], "dtype": "float"}}
    assert found(spec({"y": linear()}, inputs=ignored)) == []


def test_every_entry_is_traced() -> None:
    data = spec({"y": linear()}, inputs=SEQ, entries=["main", "other"])
    nodes = {"z": linear() | {"in_features": 5}}
    data["functions"]["other"] = function(nodes, "z", SEQ)
    assert [d.path for d in found(data)] == ["other.z"]


def test_options_are_given_and_left_out() -> None:
    heads: Data = {"shape": ["batch", "seq", 2, 4], "dtype": "float"}
    mask: Data = {"shape": [7, 5], "dtype": "bool", "optional": True}
    attention = {
        "op": "dot_product_attention",
        "query": "q",
        "key": "q",
        "value": "q",
        "mask": "mask",
    }
    data = spec({"y": attention}, inputs={"q": heads, "mask": mask})
    assert only(data).path == "main.y"
    mask["shape"] = ["seq", "seq"]
    assert found(spec({"y": attention}, inputs={"q": heads, "mask": mask})) == []


def test_training_is_traced_too() -> None:
    """Batch statistics of an axis that is not there fail under train alone."""
    norm = {"op": "batch_norm", "x": "x", "features": 9, "momentum": 0.9, "eps": 1e-5}
    errors = found(spec({"y": norm}))
    assert errors
    assert {d.path for d in errors} == {"main.y"}


def test_copies_that_are_alike_are_inferred_once() -> None:
    nodes = {"y": {"op": "relu", "x": "x"}}
    step = {"op": "repeat", "function": "f", "count": 30_000, "scan": False}
    data = spec(
        {"h": step | {"carry": {"x": "x"}}},
        functions={"f": function(nodes, {"x": "y"})},
    )
    assert found(data) == []
    data["functions"]["f"]["nodes"]["y"] = linear() | {"in_features": 7}
    assert [d.path for d in found(data)] == ["main.h.y"]


def test_wrong_graphs_are_reported_not_raised() -> None:
    report = bx.validate(Graph.parse(spec({"y": {"op": "relu", "x": "nowhere"}})))
    assert not report.ok
    assert [d.path for d in report.errors] == ["main.y.x"]


def test_keys_and_integers_as_inputs() -> None:
    inputs: Data = {
        "ids": {"shape": ["batch", "seq"], "dtype": "int32"},
        "key": {"shape": [], "dtype": "key", "optional": True},
    }
    nodes: dict[str, Any] = {
        "e": {"op": "embed", "ids": "ids", "num_embeddings": 11, "features": 8},
        "d": {"op": "dropout", "x": "e", "key": "key", "rate": 0.5},
    }
    assert found(spec(nodes, inputs=inputs)) == []


def test_all_faults_of_three_functions_in_one_run() -> None:
    """Behind a fault goes on what is still known; what only follows from it is quiet."""

    def wrong(x: str, size: int = 7) -> Data:
        return {"op": "linear", "x": x, "in_features": size, "out_features": 8}

    norm = {"op": "layer_norm", "features": 9, "eps": 1e-5}
    block = {
        "a": wrong("x"),
        "r": {"op": "relu", "x": "a"},
        "b": wrong("r", 6),
        "sum": {"op": "add", "a": "b", "b": "x"},
        "norm": norm | {"x": "sum"},
    }
    head = {
        "turned": {"op": "transpose", "x": "x", "permutation": [1, 0]},
        "one": {"op": "index", "x": "x", "at": "0, 0, 0, 0"},
        "shaped": reshape("$batch", "$seq", 9),
        "d": wrong("x", 5),
        "q": {"op": "squeeze", "x": "d", "axis": -1},
    }
    main = {
        "first": {"op": "call", "function": "block", "inputs": {"x": "x"}},
        "second": {"op": "call", "function": "block", "inputs": {"x": "first"}},
        "joined": {"op": "concatenate", "xs": ["first", "half"], "axis": 0},
        "head": {"op": "call", "function": "head", "inputs": {"x": "x"}},
        "last": wrong("x", 3),
    }
    inputs = {**SEQ, "half": {"shape": ["batch", "seq", 5], "dtype": "float"}}
    outputs = {"joined": "joined", "last": "last", "head": "head", "second": "second"}
    shaped = function(head, {"y": "q", "t": "turned", "o": "one", "s": "shaped"})
    shaped["inputs"] = {"x": {"shape": ["batch", "seq", 8]}}
    outputs["head"] = "head.y"
    functions = {"block": function(block, "norm"), "head": shaped}
    errors = [d.path for d in found(spec(main, outputs, inputs, functions))]
    assert errors == [
        *("main.first.a", "main.first.b", "main.first.norm"),
        "main.joined",
        *("main.head.turned", "main.head.one", "main.head.shaped"),
        *("main.head.d", "main.head.q"),
        "main.last",
    ]


def test_a_constant_that_breaks_a_carry_of_a_narrow_float() -> None:
    """The model's float may be bfloat16: what is float32 by itself makes it wider."""
    nodes: Data = {
        "one": {"op": "ones", "shape": [8], "dtype": "float32"},
        "y": {"op": "add", "a": "x", "b": "one"},
    }
    step = {"op": "scan", "function": "f", "carry": {"x": "x"}, "length": 3}
    data = spec({"s": step}, functions={"f": function(nodes, {"x": "y"})})
    error = only(data)
    assert error.path == "main.s.carry.x"
    assert error.message == (
        "expected the next carry to be as the one before, bfloat16[batch, 8], found "
        "float32[batch, 8], where the model's float is bfloat16"
    )
    nodes["one"]["dtype"] = "float"
    assert found(data) == []


@pytest.mark.parametrize("op", ["cond", "switch"])
def test_branches_that_differ_with_a_narrow_float(op: str) -> None:
    """They give the same where the model's float is float32, and only there."""
    wide = function(
        {"y": {"op": "astype", "x": "x", "dtype": "float32"}}, {"x": "y"}, {"x": {}}
    )
    same = function({"y": {"op": "relu", "x": "x"}}, {"x": "y"}, {"x": {}})
    nodes: Data = {
        "cond": {"op": "cond", "predicate": "go", "then": "wide", "else": "same"},
        "switch": {"op": "switch", "index": "i", "branches": ["same", "wide"]},
    }
    total: Data = {"op": "sum", "x": "x", "axis": None}
    given: Data = {"sum": total, "go": {"op": "greater", "a": "sum", "b": 0}}
    if op == "switch":
        given["i"] = {"op": "astype", "x": "go", "dtype": "int32"}
    given["s"] = nodes[op] | {"inputs": {"x": "x"}}
    data = spec(given, "s", functions={"wide": wide, "same": same})
    error = only(data)
    assert error.path == "main.s"
    assert "all branches to give the same x" in error.message
    assert error.message.endswith("where the model's float is bfloat16")
    wide["nodes"]["y"]["dtype"] = "float"
    assert found(data) == []


def test_messages_speak_of_dims() -> None:
    """By their names, or as small sizes; JAX's own text on one line."""
    nodes: Data = {"y": linear() | {"in_features": 7}}
    inputs: Data = {"x": {"shape": ["batch", "height", 8], "dtype": "float"}}
    dims = {"height": {"multiple_of": 4, "min": 4000}}
    error = only(spec(nodes, inputs=inputs, dims=dims))
    assert "x float32[batch, height, 8]" in error.message
    assert "\n" not in error.message
    assert len(error.message) < 320


def test_what_flows_into_a_function_is_as_it_declares() -> None:
    inner = function({"r": {"op": "relu", "x": "x"}}, "r")
    inner["inputs"] = {"x": {"shape": ["rows", 5]}}
    call = {"op": "call", "function": "inner", "inputs": {"x": "x"}}
    error = only(spec({"c": call}, functions={"inner": inner}))
    assert str(error) == "main.c.x: expected shape [rows, 5], found [batch, 8]"
    inner["inputs"]["x"]["shape"] = ["...", 8]
    assert found(spec({"c": call}, functions={"inner": inner})) == []


def test_bounds_hold_where_a_node_calls_an_entry() -> None:
    """`main` calls `step` with a table of as many rows as it has itself."""
    data: Data = graph_of("tiny_gpt").plain()
    assert found(data) == []
    wide = {"max": "$context", "multiple_of": 16}
    error = only(data | {"dims": data["dims"] | {"cached": wide}})
    assert (error.code, error.path) == ("dims", "main.model.cached")
    assert error.message.startswith("expected a multiple of 16, found 3")
