"""FLOPs in `bx.summary`, and its table in notebooks."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from sample_specs import Data, function, spec
from saved_models import linear, repeat

import blox as bx
from blox.schema import Graph, ModelError
from blox.show.rows import Row

EVIL = "<script>alert(1)</script>\x1b[31m\u202e\"'&</td><img src=x onerror=alert(1)>"
BODY = function({"up": linear(), "act": {"op": "relu", "x": "up"}}, {"x": "act"})
ONCE = 2 * 8 * 8 + 8 + 8
"""FLOPs of it for one row."""


def graph(nodes: Data, outputs: Any = None, **more: Any) -> Graph:
    return Graph.parse(spec(nodes, outputs, functions={"f": BODY, "g": BODY}, **more))


SWITCH: Data = {
    "i": {"op": "arange", "stop": 1},
    "at": {"op": "sum", "x": "i", "axis": None},
    "y": {"op": "switch", "index": "at", "branches": ["f", "g"], "inputs": {"x": "x"}},
}
MODELS: dict[str, Graph] = {
    "scanned": graph({"a": linear(), "h": repeat("f", 3, scan=True, x="a")}),
    "listed": graph({"a": linear(), "h": repeat("f", 3, scan=False, x="a")}),
    "called": graph(
        {
            "a": {"op": "call", "function": "f", "inputs": {"x": "x"}},
            "b": {"op": "call", "function": "f", "inputs": {"x": "a"}, "params": "a"},
        }
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_line_has_the_flops_of_those_below_it(name: str) -> None:
    for dims in ({}, {"batch": 5}):
        rows = bx.summary(MODELS[name], **dims).rows
        assert rows[0].flops
        for i, row in enumerate(rows):
            below = [r for r in _below(rows, i) if r.depth == row.depth + 1]
            counted = [r for r in below if not r.is_array]
            if counted:
                texts = [str(r.flops) for r in counted]
                first, *others = [r.flops for r in counted]
                assert sum(others, start=first) == row.flops, (row, texts)


def _below(rows: tuple[Row, ...], i: int) -> list[Row]:
    found: list[Row] = []
    for row in rows[i + 1 :]:
        if row.depth <= rows[i].depth:
            break
        found.append(row)
    return found


def test_of_branches_each_is_shown_and_the_largest_counts() -> None:
    rows = {r.name: str(r.flops) for r in bx.summary(graph(SWITCH)).rows}
    assert rows["branch_0"] == rows["branch_1"] == rows["y"] == f"{ONCE}*batch"


def test_copies_on_one_line_count_together() -> None:
    rows = {r.name: str(r.flops) for r in bx.summary(MODELS["listed"]).rows}
    assert (rows["0"], rows["1-2"]) == (f"{ONCE}*batch", f"{2 * ONCE}*batch")


def test_given_dims_are_numbers_in_shapes_and_flops() -> None:
    found = bx.summary(MODELS["scanned"], batch=5)
    assert found.flops == {"main": 5 * (2 * 64 + 8 + 3 * ONCE)}
    lines = str(found).split("\n")
    assert any(re.search(r"a +linear +\[5, 8\] .* 680$", line) for line in lines)
    assert any(re.fullmatch(r"main +entry .* 2\.84k", line) for line in lines)
    assert bx.summary(MODELS["scanned"]).flops == {"main": "568*batch"}


def test_a_dim_that_no_entry_has_is_named() -> None:
    with pytest.raises(ModelError, match="found 'bath'; there are: batch"):
        bx.summary(MODELS["scanned"], bath=5)


def test_long_formulas_are_cut_between_terms() -> None:
    dims = [f"a_dim_with_a_long_name_{i}" for i in range(3)]
    inputs: Data = {
        f"x{i}": {"shape": [d], "dtype": "float"} for i, d in enumerate(dims)
    }
    sums = {f"s{i}": {"op": "sum", "x": f"x{i}", "axis": None} for i in range(3)}
    outputs = {name: name for name in sums}
    text = str(bx.summary(Graph.parse(spec(sums, outputs, inputs))))
    assert re.search(r"main +entry +a_dim_with_a_long_name_0 \+ \.\.\.\n", text)


class Reader(HTMLParser):
    """The tags of a page, and the texts of the cells of its rows."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.rows: list[list[str]] = []
        self.text, self.open = "", False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self.open = True

    def handle_endtag(self, tag: str) -> None:
        self.open = self.open and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.open:
            self.rows[-1][-1] += data


def read(found: Any) -> Reader:
    reader = Reader()
    reader.feed(found._repr_html_())
    reader.close()
    return reader


def test_the_table_of_a_notebook_has_what_the_text_has() -> None:
    found = bx.summary(MODELS["listed"], batch=5)
    table = read(found)
    assert table.rows[0] == ["", "", "shape", "parameters", "bytes", "FLOPs"]
    assert ["a", "linear", "[5, 8]", "72", "288 B", "680"] in table.rows
    text = re.sub(r"[│├└─]", " ", str(found)).split("\n")
    ours = [line.split() for line in text]
    for row in table.rows[1:]:
        assert " ".join(row).split() in ours
    assert str(found).split("\n")[-1] in table.text
    assert repr(found) == str(found)


def test_text_of_the_file_is_text_in_a_notebook() -> None:
    metadata = {"description": EVIL, "license": EVIL, "source": EVIL}
    described = {"y": {"value": "y", "doc": EVIL}}
    evil = Graph.parse(spec({"y": linear()}, described, metadata=metadata))
    found = read(bx.summary(evil))
    assert found.tags == {"div", "strong", "table", "thead", "tbody", "tr", "th", "td"}
    assert found.attributes == {"style"}
    assert found.text.count("<script>alert(1)</script>") == 4
    assert all(c.isprintable() or c == "\n" for c in found.text)
