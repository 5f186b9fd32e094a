"""FLOPs of copies, loops and branches: against counting by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sample_specs import Data, function, spec
from saved_models import linear, repeat

from blox.schema import Graph
from blox.show.count import Count
from blox.show.flops import Cost, measure

RELU: Data = {"op": "relu", "x": "x"}


BODY = function({"up": linear(), "act": {"op": "relu", "x": "up"}}, {"x": "act"})


ONCE = 2 * 8 * 8 + 8 + 8
"""A linear of 8 features and a relu, for one row."""


def nodes(given: Data, outputs: Any = None, **more: Any) -> Cost:
    return measure(Graph.parse(spec(given, outputs, **more))).entries["main"]


@pytest.mark.parametrize("scan", [True, False])
def test_copies_count_each(scan: bool) -> None:
    many = nodes({"h": repeat("f", 5, scan=scan)}, functions={"f": BODY}).nodes["h"]
    assert str(many.flops) == f"{5 * ONCE}*batch"
    assert str(many.called[0].copy(4).flops) == f"{ONCE}*batch"
    if not scan:
        assert str(many.called[0].copies(1, 4)) == f"{4 * ONCE}*batch"
        assert many.called[0].copy(1) is many.called[0].copy(4)


def test_copies_that_differ_count_as_they_are() -> None:
    wide = {"op": "concatenate", "xs": ["x", "x"], "axis": 0}
    double = function(
        {"twice": wide, "act": {"op": "relu", "x": "twice"}}, {"x": "act"}
    )
    many = nodes({"h": repeat("f", 3, scan=False)}, functions={"f": double}).nodes["h"]
    assert str(many.flops) == f"{8 * (2 + 4 + 8)}*batch"
    assert str(many.called[0].copies(1, 2)) == f"{8 * (4 + 8)}*batch"


SEQUENCE: Data = {"x": {"shape": ["batch", "seq", 8], "dtype": "float"}}


STATE: Data = {"s": {"op": "zeros", "shape": ["$batch", 8]}}


@pytest.mark.parametrize(
    ("node", "wanted"),
    [
        ({"op": "map", "xs": {"x": "x"}, "axis": 1}, f"{ONCE}*batch*seq"),
        ({"op": "scan", "xs": {"x": "x"}, "axis": 1}, f"{ONCE}*batch*seq"),
        ({"op": "scan", "length": "$2 * seq + 1", "inputs": {"x": "x"}},
         f"{2 * ONCE}*batch*seq^2 + {ONCE}*batch*seq"),
        ({"op": "call", "inputs": {"x": "x"}}, f"{ONCE}*batch*seq"),
    ],
)  # fmt: skip
def test_loops_count_every_step(node: Data, wanted: str) -> None:
    found = nodes(
        {"y": node | {"function": "f"}}, inputs=SEQUENCE, functions={"f": BODY}
    )
    assert str(found.flops) == wanted


def test_a_scan_in_parallel_combines_once_for_each_element() -> None:
    """As one after another; how often JAX combines a part again is not said in dims."""
    both: Data = {"x": {}, "right": {}}
    add = function({"sum": {"op": "add", "a": "x", "b": "right"}}, {"x": "sum"}, both)
    node = {"op": "associative_scan", "function": "f", "xs": {"x": "x"},
            "right": {"x": "right"}, "axis": 1}  # fmt: skip
    found = nodes({"y": node}, inputs=SEQUENCE, functions={"f": add})
    assert str(found.flops) == "8*batch*seq"


def test_of_branches_the_largest_counts() -> None:
    inputs = SEQUENCE | {"i": {"shape": [], "dtype": "int32"}}
    node = {
        "op": "switch",
        "index": "i",
        "branches": ["f", "g", "f"],
        "inputs": {"x": "x"},
    }
    small = function({"act": RELU}, {"x": "act"})
    found = nodes({"y": node}, inputs=inputs, functions={"f": small, "g": BODY})
    assert str(found.flops) == f"{ONCE}*batch*seq"
    assert [str(c.flops) for c in found.nodes["y"].called] == [
        "8*batch*seq", f"{ONCE}*batch*seq", "8*batch*seq",
    ]  # fmt: skip


@pytest.mark.parametrize(("limit", "wanted"), [(None, "?"), (7, f"{7 * (ONCE + 9)}")])
def test_a_while_loop_counts_as_far_as_it_is_bounded(limit: Any, wanted: str) -> None:
    least = {
        "total": {"op": "sum", "x": "x", "axis": None},
        "test": {"op": "greater", "a": "total", "b": 0.0},
    }
    node = {"op": "while_loop", "cond": "goes_on", "body": "f", "carry": {"x": "x"}}
    node |= {} if limit is None else {"max_steps": limit}
    functions = {"f": BODY, "goes_on": function(least, "test")}
    inputs = {"x": {"shape": [1, 8], "dtype": "float"}}
    assert str(nodes({"y": node}, inputs=inputs, functions=functions).flops) == wanted


def test_what_nobody_uses_does_not_run() -> None:
    found = nodes({"idle": linear(), "y": RELU}, "y")
    assert str(found.flops) == "8*batch"
    assert list(found.nodes) == ["y"]


def test_without_a_key_nothing_is_dropped_out() -> None:
    inputs = SEQUENCE | {"key": {"shape": [], "dtype": "key", "optional": True}}
    drop = {"op": "dropout", "x": "x", "key": "key", "rate": 0.5}
    found = nodes({"y": drop, "z": RELU | {"x": "y"}}, inputs=inputs)
    assert str(found.nodes["y"].flops) == "0"
    inputs["key"] = {"shape": [], "dtype": "key"}
    assert nodes({"y": drop}, inputs=inputs).nodes["y"].flops


def test_dims_that_are_multiples_are_named_as_they_are() -> None:
    half = {"op": "reshape", "x": "x", "shape": ["$batch // 2", 16]}
    found = nodes({"half": half, "y": linear() | {"x": "x"}, "z": RELU | {"x": "half"}},
                  {"y": "y", "z": "z"}, dims={"batch": {"multiple_of": 2}})  # fmt: skip
    assert str(found.flops) == f"{2 * 64 + 8 + 8}*batch"


def test_behind_a_fault_nothing_is_known() -> None:
    bad = {"op": "reshape", "x": "x", "shape": ["$batch", 2, 5]}
    found = nodes({"bad": bad, "y": {"op": "relu", "x": "bad"}, "z": linear()},
                  {"y": "y", "z": "z"})  # fmt: skip
    assert str(found.nodes["y"].flops) == "?"
    assert str(found.flops) == "136*batch + ?"
    assert found.flops.number is None


def test_calls_that_double_are_counted_once() -> None:
    functions: Data = {"f0": function({"u": linear()}, {"x": "u"})}
    for i in range(1, 60):
        call = {"op": "call", "function": f"f{i - 1}"}
        twice = {"a": call | {"inputs": {"x": "x"}}, "b": call | {"inputs": {"x": "a"}}}
        functions[f"f{i}"] = function(twice, {"x": "b"})
    data = spec({"y": {"op": "call", "function": "f8", "inputs": {"x": "x"}}},
                functions=functions)  # fmt: skip
    found = measure(Graph.parse(data)).entries["main"]
    assert str(found.flops) == f"{2**8 * (2 * 64 + 8)}*batch"
    seen: set[int] = set()

    def walk(cost: Cost) -> Iterator[Cost]:
        if id(cost) not in seen:
            seen.add(id(cost))
            yield cost
            for node in cost.nodes.values():
                for called in node.called:
                    for call in called.calls:
                        yield from walk(call)

    assert len(list(walk(found))) == 10


def flops(graph: Graph, **dims: int) -> Count:
    return measure(graph, dims).entries["main"].flops


def test_loops_within_loops_may_take_for_ever() -> None:
    given = {"x": {"shape": ["seq", 8], "dtype": "float"}}
    functions = {"f0": BODY}
    for i in range(1, 12):
        loop = {
            "op": "scan",
            "function": f"f{i - 1}",
            "length": "$seq",
            "carry": {"x": "x"},
        }
        functions[f"f{i}"] = function({"y": loop}, {"x": "y"}, given)
    call = {"op": "call", "function": "f11", "inputs": {"x": "x"}}
    graph = Graph.parse(spec({"y": call}, inputs=given, functions=functions))
    assert str(flops(graph)) == f"{ONCE}*seq^12"
    largest = 2**31 - 1
    assert flops(graph, seq=largest).number == ONCE * largest**12
    assert flops(graph, seq=largest).short() == f"{ONCE * float(largest) ** 12:.2e}"
