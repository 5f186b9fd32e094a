"""What the page is told of nodes: copies, shared and unused ones, numbers, texts."""

from __future__ import annotations

from typing import Any

import pytest

from blox.schema import Graph
from blox.show.page.content import content
from blox.show.page.texts import LONGEST, lines, text_of


def dense(x: str, into: Any = 8, out: Any = 8, **more: Any) -> dict[str, Any]:
    return {"op": "linear", "x": x, "in_features": into, "out_features": out, **more}


def repeat(count: int, n: Any, x: str, *, scan: bool) -> dict[str, Any]:
    return {
        "op": "repeat",
        "function": "block",
        "count": count,
        "scan": scan,
        "carry": {"x": x},
        "attributes": {"n": n},
    }


BLOCK = {
    "attributes": ["n"],
    "inputs": {"x": {}},
    "nodes": {"up": dense("x", out="$n"), "down": dense("up", "$n")},
    "outputs": {"x": "down"},
}


def data_of(nodes: dict[str, Any], output: str, **functions: Any) -> Any:
    main = {
        "inputs": {"x": {"shape": ["batch", 8], "dtype": "float"}},
        "nodes": nodes,
        "outputs": {"y": output},
    }
    graph = {"format": "blox/1", "name": "m", "functions": {"main": main, **functions}}
    return content(Graph.parse(graph))


def nodes_of(data: Any, name: str = "main") -> dict[str, Any]:
    (part,) = [p for p in data["parts"] if p["name"] == name]
    return {node["name"]: node for node in part["nodes"]}


def test_copies_in_a_row_that_are_alike_are_one() -> None:
    data = data_of({"h": repeat(5, [4, 4, 16], "x", scan=False)}, "h", block=BLOCK)
    node = nodes_of(data)["h"]
    attributes = [part.get("values") for part in data["parts"]]
    narrow, wide = (attributes.index([["n", n]]) for n in ("4", "16"))
    (call,) = node["calls"]
    assert call["copies"] == [[0, 1, narrow], [2, 2, wide], [3, 4, narrow]]
    assert call["times"] == "5"
    sizes = {n: 8 * n + n + n * 8 + 8 for n in (4, 16)}
    assert data["parts"][narrow]["count"] == sizes[4]
    assert node["count"] == 4 * sizes[4] + sizes[16]
    assert node["bytes"] == 4 * node["count"]


def test_a_stacked_repeat_has_one_function_and_counts_all_copies() -> None:
    data = data_of({"h": repeat(5, 4, "x", scan=True)}, "h", block=BLOCK)
    (call,) = nodes_of(data)["h"]["calls"]
    assert call["stacked"]
    assert "copies" not in call
    assert nodes_of(data)["h"]["count"] == 5 * data["parts"][call["part"]]["count"]
    (kernel, _bias) = nodes_of(data, "block")["up"]["arrays"]
    assert kernel["type"] == "float32[8, 4]"


def test_what_lies_at_the_same_path_is_shared_from_its_second_node_on() -> None:
    nodes = {"a": dense("x"), "b": dense("a", params="a"), "c": dense("b")}
    found = nodes_of(data_of(nodes, "c"))
    assert [found[n].get("shared", False) for n in "abc"] == [False, True, False]
    assert found["b"]["scope"] == "a"


def test_unused_nodes_numbers_and_frozen_arrays_are_said() -> None:
    nodes = {
        "idle": {"op": "relu", "x": "x"},
        "half": {"op": "multiply", "a": "x", "b": "$1 / 2"},
        "out": dense("half", frozen=["bias"]),
    }
    found = nodes_of(data_of(nodes, "out"))
    assert found["idle"]["unused"]
    assert found["half"]["takes"] == [["a", "x", 0], ["b", None, 0, "0.5 = $1 / 2"]]
    kernel, bias = found["out"]["arrays"]
    assert "frozen" not in kernel
    assert bias["frozen"]
    assert bias["init"] == "zeros"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "none"),
        (True, "true"),
        ([1, [2.5, "x"]], "[1, [2.5, x]]"),
        ({"n": 4, "m": [1]}, "n: 4, m: [1]"),
        ("a\nb\u202e", r"a\nb\u202e"),
    ],
)
def test_values_are_on_one_line(value: Any, text: str) -> None:
    assert text_of(value) == text


def test_docs_keep_their_lines_and_are_cut() -> None:
    assert lines("one\n\ttwo\x1b\n") == "one\n\\ttwo\\x1b\n"
    assert lines("w" * (LONGEST + 1)) == "w" * LONGEST + " ..."
