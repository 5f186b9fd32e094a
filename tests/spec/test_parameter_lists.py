"""Lists of parameters by `"params": "layers.0"`: what is sound, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from sample_specs import Data, function, spec

from blox.schema import Graph, SpecError

X: Data = {"x": {"shape": ["batch", 4], "dtype": "float"}}


def linear(params: str, x: str = "x", **more: Any) -> Data:
    sizes = {"in_features": 4, "out_features": 4}
    return {"op": "linear", "x": x, **sizes, "params": params, **more}


def norm(params: str) -> Data:
    return {"op": "batch_norm", "x": "x", "features": 4, "params": params}


def block(*nodes: Data) -> Data:
    return function({f"n{i}": node for i, node in enumerate(nodes)}, {"x": "n0"})


def call(title: str, params: str) -> Data:
    return {"op": "call", "function": title, "inputs": {"x": "x"}, "params": params}


def graph_of(*nodes: Data, **functions: Data) -> Graph:
    named = {f"n{i}": node for i, node in enumerate(nodes)}
    return Graph.parse(spec(named, inputs=X, functions=functions))


def paths_of(graph: Graph) -> list[str]:
    return [
        p.removesuffix(".kernel") for p in graph.program().leaves() if "kernel" in p
    ]


def fault(graph: Graph) -> str:
    with pytest.raises(SpecError) as caught:
        graph.program()
    (line,) = str(caught.value).split("\n")
    return line


def test_parts_are_counted_over_all_functions_and_entries() -> None:
    graph = graph_of(
        linear("a.2"), linear("a.0"), call("f", "."), f=block(linear("a.1"))
    )
    assert paths_of(graph) == ["a.0", "a.1", "a.2"]
    data = graph_of(linear("a.0")).plain()
    data["functions"]["second"] = {
        "inputs": X, "nodes": {"n": linear("a.1")}, "outputs": {"y": "n"}
    }  # fmt: skip
    data["entries"] = ["main", "second"]
    assert paths_of(Graph.parse(data)) == ["a.0", "a.1"]


def test_lists_within_lists_and_within_copies() -> None:
    rows = block(linear("rows.0.up"), linear("rows.1.0"), linear("rows.1.1"))
    graph = graph_of(
        call("f", "h.0"),
        {"op": "repeat", "function": "f", "count": 2, "scan": False, "carry": ["x"]},
        f=rows,
    )
    inner = ["rows.0.up", "rows.1.0", "rows.1.1"]
    copies = [*(f"n1.0.{p}" for p in inner), *(f"n1.1.{p}" for p in inner)]
    assert paths_of(graph) == [*(f"h.0.{p}" for p in inner), *copies]
    tree = graph.program().tree
    assert isinstance(tree["h"], list)
    assert isinstance(tree["n1"], list)
    assert tree["n1"][0] is tree["n1"][1]  # copies that are alike are one object


def test_nodes_that_meet_at_a_part_agree() -> None:
    graph = graph_of(linear("a.0"), linear("a.0", "n0"))
    assert paths_of(graph) == ["a.0"]
    wrong = graph_of(linear("a.0"), {**linear("a.0"), "out_features": 3})
    assert fault(wrong).startswith("main.n1: a.0.")


@pytest.mark.parametrize(
    "path",
    [
        *("0", "0.a", ".0", "a.", "a..0", "a.00", "a.01", "a.-1", "a.1_0", "a. 1"),
        *("a.0x", "a.+1", "a.1e3", "a.\u0661", "a.9999999999", "a[0]"),
    ],
)
def test_what_is_no_path(path: str) -> None:
    with pytest.raises(SpecError, match=r"main\.n0\.params: expected `\.` or a param"):
        graph_of(linear(path))


LACKING: list[tuple[list[str], str]] = [
    (["a.1"], "a: expected parts 0 to 0 of the list, found 1"),
    (["a.0", "a.2"], "a: expected parts 0 to 1 of the list, found 0, 2"),
    (["a.999999999"], "a: expected parts 0 to 0 of the list, found 999999999"),
    (["b.a.0.1"], "b.a.0: expected parts 0 to 0 of the list, found 1"),
]


@pytest.mark.parametrize(("paths", "text"), LACKING)
def test_a_list_has_no_gap(paths: list[str], text: str) -> None:
    """It is counted before anything is made of it."""
    found = fault(graph_of(*map(linear, paths)))
    assert found.startswith(text)
    assert found.endswith(
        "; number them without a gap; all entries together have the list"
    )


@pytest.mark.parametrize("scan", [False, True])
def test_a_list_is_not_that_of_a_repeat(scan: bool) -> None:
    repeat = {"op": "repeat", "function": "f", "count": 2, "scan": scan, "carry": ["x"]}
    here = "a group" if scan else "a list of copies"
    graph = graph_of({**repeat, "params": "h"}, linear("h.0.up"), f=block(linear("up")))
    assert (
        fault(graph) == f"main.n1: h: one node has {here} here, another parts by number"
    )


def test_parts_are_named_or_numbered() -> None:
    graph = graph_of(linear("a.0"), linear("a.up"))
    assert (
        fault(graph) == "main.n1: a: one node has parts by number here, another a group"
    )
    graph = graph_of(linear("a"), linear("a.0"))
    assert (
        fault(graph) == "main.n1: a: one node has a group here, another parts by number"
    )


def test_who_keeps_state_in_a_list_has_all_of_it() -> None:
    graph_of(norm("a.0"), linear("a.1")).program()
    graph_of(linear("a.1"), call("f", "."), f=block(linear("a.0"))).program()
    graph = graph_of(linear("a.1"), call("f", "."), f=block(norm("a.0"), norm("a.2")))
    assert fault(graph) == (
        "f: expected all parts of a in the function that keeps state in it, found 0, 2"
    )


def test_many_parts_take_no_time() -> None:
    graph = graph_of(*(linear(f"a.{i}") for i in reversed(range(3000))))
    assert paths_of(graph) == [f"a.{i}" for i in range(3000)]
