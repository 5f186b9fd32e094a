"""Pictures of a model for Mermaid and Graphviz: what they say, and that text is text."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from golden_models import EACH, graph_of
from sample_specs import Data, function, spec
from saved_models import linear, repeat

from blox.schema import Graph
from blox.show.diagram import Arrow, Box, Part, parts
from blox.show.dot import dot_text
from blox.show.mermaid import mermaid_text

EVIL = [
    '</script><img src=x onerror="alert(1)">',
    '"]; click f0i0 href "javascript:alert(1)"; x["',
    "`**bold** _a_b_ 2*x*y`",
    "1. list - [a](javascript:alert(1))",
    "a;b #quot; #60; %%{init: {}}%% end",
    "& &lt; \\N \\l \\n \\",
    "{x} |y| <b> ~ ^ @{shape: x} a:::b 'q'",
    "a --> b; subgraph z; }",
    "Grüße 世界",
]
KINDS: list[Any] = ["input", "op", "calls", "array", "output"]

Drawn = tuple[dict[str, str], dict[str, list[str]], list[tuple[str, str, str]]]
"""Titles by part, lines by box, (from, text, to) of arrows."""


def read_mermaid(text: str) -> Drawn:
    """By the grammar of what is written, of which every line has to be."""
    first, *lines = text.split("\n")
    assert first == "flowchart TD"
    assert text.isascii()
    titles: dict[str, str] = {}
    boxes: dict[str, list[str]] = {}
    arrows = []
    borders = r"\(\[{0}\]\)|\[{0}\]|\[\[{0}\]\]|\[\({0}\)\]".replace("{0}", '"[^"]*"')
    is_open = False
    for line in lines:
        if found := re.fullmatch(r'  subgraph (f\d+)\["([^"]*)"\]', line):
            assert not is_open
            titles[found[1]], is_open = shown(found[2]), True
            continue
        assert is_open
        if line == "  end":
            is_open = False
        elif found := re.fullmatch(rf"    (f\d+[ino]\d+)({borders})", line):
            label = found[2].strip("[]()").strip('"')
            boxes[found[1]] = [shown(part) for part in label.split("<br/>")]
        elif found := re.fullmatch(r'    (\w+) -->(?:\|"([^"]*)"\|)? (\w+)', line):
            arrows.append((found[1], shown(found[2] or ""), found[3]))
        else:
            assert line == "    direction TB"
    assert not is_open
    return titles, boxes, arrows


def shown(label: str) -> str:
    """A label as Mermaid shows it; nothing else in it may have a meaning."""
    assert re.fullmatch(r"(?:[A-Za-z0-9 _.,:()\[\]+=?$-]|#\d+;)*", label), label
    return re.sub(r"#(\d+);", lambda m: chr(int(m[1])), label)


def read_dot(text: str) -> Drawn:
    """By tokens: texts in quotes, words, signs."""
    titles: dict[str, str] = {}
    boxes: dict[str, list[str]] = {}
    arrows = []
    part = ""
    label = r'"((?:[^"\\]|\\.)*)"'
    for line in text.split("\n"):
        if found := re.fullmatch(r"  subgraph cluster_(f\d+) \{", line):
            part = found[1]
        elif found := re.fullmatch(rf"    label={label}", line):
            (titles[part],) = unquoted(found[1])
        elif found := re.fullmatch(rf"    (\w+) \[label={label}, [a-z0-9=, ]+\]", line):
            boxes[found[1]] = unquoted(found[2])
        elif found := re.fullmatch(rf"    (\w+) -> (\w+)(?: \[label={label}\])?", line):
            (name,) = unquoted(found[3] or "")
            arrows.append((found[1], name, found[2]))
        else:
            assert re.fullmatch(
                r'digraph \{|  \}|\}|  (graph|node|edge) \[[a-zA-Z0-9="], =]+\]'
                r'|  (graph|node|edge) \[fontname="Helvetica"(, fontsize=\d+)?\]',
                line,
            ), line
    return titles, boxes, arrows


def unquoted(label: str) -> list[str]:
    """The lines of a label, in which no other escape may stand."""
    assert set(re.findall(r"\\(.)", label)) <= {"\\", '"', "n"}
    text = re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], label)
    return [unescape(line) for line in text.split("\n")]


READERS: list[tuple[Callable[..., str], Callable[[str], Drawn]]] = [
    (mermaid_text, read_mermaid),
    (dot_text, read_dot),
]


def graph() -> Graph:
    body = function({"up": linear(), "act": {"op": "relu", "x": "up"}}, {"x": "act"})
    lone = function({"y": {"op": "relu", "x": "x"}}, "y")
    nodes: Data = {
        "bias": {"op": "param", "shape": [8]},
        "parts": {"op": "split", "x": "x", "names": ["a", "b"], "axis": 0},
        "twice": {"op": "add", "a": "parts.a", "b": "parts.a"},
        "sum": {"op": "add", "a": "twice", "b": "bias"},
        "h": repeat("f", 3, scan=False, x="sum"),
        "far": {"op": "call", "function": "f", "inputs": {"x": "x"}},
        "idle": {"op": "relu", "x": "parts.b"},
    }
    more = {
        "functions": {"f": body, "lone": lone},
        "dims": {"batch": {"multiple_of": 2}},
    }
    return Graph.parse(spec(nodes, {"y": "h", "z": "far"}, **more))


@pytest.mark.parametrize(("write", "read"), READERS, ids=["mermaid", "dot"])
def test_every_function_that_runs_is_drawn(write: Any, read: Any) -> None:
    titles, boxes, arrows = read(write(parts(graph())))
    assert titles == {"f0": "main", "f1": "f"}
    assert boxes == {
        "f0i0": ["x float[batch, 8]"],
        "f0n0": ["bias", "param", "[8]"],
        "f0n1": ["parts", "split", "[(batch // 2), 8], [(batch // 2), 8]"],
        "f0n2": ["twice", "add", "[(batch // 2), 8]"],
        "f0n3": ["sum", "add", "[(batch // 2), 8]"],
        "f0n4": ["h", "repeat f x 3", "[(batch // 2), 8]"],
        "f0n5": ["far", "call f", "[batch, 8]"],
        "f0n6": ["idle", "relu, unused", "[(batch // 2), 8]"],
        "f0o0": ["y"],
        "f0o1": ["z"],
        "f1i0": ["x", "[?, 8]"],
        "f1n0": ["up", "linear", "[?, 8]"],
        "f1n1": ["act", "relu", "[?, 8]"],
        "f1o0": ["x"],
    }
    assert arrows == [
        ("f0i0", "", "f0n1"),
        ("f0n1", "a", "f0n2"),
        ("f0n2", "", "f0n3"),
        ("f0n0", "", "f0n3"),
        ("f0n3", "", "f0n4"),
        ("f0i0", "", "f0n5"),
        ("f0n1", "b", "f0n6"),
        ("f0n4", "", "f0o0"),
        ("f0n5", "", "f0o1"),
        ("f1i0", "", "f1n0"),
        ("f1n0", "", "f1n1"),
        ("f1n1", "", "f1o0"),
    ]


def test_sizes_of_dims_stand_in_the_shapes() -> None:
    _, boxes, _ = read_mermaid(mermaid_text(parts(graph(), {"batch": 6})))
    assert boxes["f0n4"][-1] == "[3, 8]"


@pytest.mark.parametrize(("write", "read"), READERS, ids=["mermaid", "dot"])
@pytest.mark.parametrize("name", EACH)
def test_models_are_drawn_whole(write: Any, read: Any, name: str) -> None:
    found = graph_of(name)
    drawn = parts(found)
    titles, boxes, arrows = read(write(drawn))
    assert set(titles.values()) == set(found.functions)
    assert boxes == {b.id: list(b.lines) for p in drawn for b in p.boxes}
    assert arrows == [(a.source, a.text, a.target) for p in drawn for a in p.arrows]
    assert {end for a, _, b in arrows for end in (a, b)} <= boxes.keys()
    for part in drawn:
        own = found.functions[part.title]
        count = len(own.inputs) + len(own.nodes) + len(own.outputs)
        assert len(part.boxes) == count


def evil() -> list[Part]:
    """As no file that is read can be, as its names are only letters and digits."""
    boxes = [
        Box(f"f0n{i}", KINDS[i % len(KINDS)], (text, text[::-1]))
        for i, text in enumerate(EVIL)
    ]
    arrows = [Arrow("f0n0", f"f0n{i}", text) for i, text in enumerate(EVIL)]
    return [Part("f0", EVIL[0], tuple(boxes), tuple(arrows))]


@pytest.mark.parametrize(("write", "read"), READERS, ids=["mermaid", "dot"])
def test_text_can_say_nothing(write: Any, read: Any) -> None:
    titles, boxes, arrows = read(write(evil()))
    assert titles == {"f0": EVIL[0]}
    assert list(boxes.values()) == [[text, text[::-1]] for text in EVIL]
    assert [text for _, text, _ in arrows] == EVIL


@pytest.mark.skipif(shutil.which("dot") is None, reason="needs graphviz")
def test_graphviz_draws_what_stands_there() -> None:
    run = subprocess.run(
        ["dot", "-Tjson"],
        input=dot_text(evil()),
        capture_output=True,
        text=True,
        check=True,
    )
    found = {item["name"]: item for item in json.loads(run.stdout)["objects"]}
    assert set(found) == {"cluster_f0", *(f"f0n{i}" for i in range(len(EVIL)))}
    for i, text in enumerate(EVIL):
        drawn = [op["text"] for op in found[f"f0n{i}"]["_ldraw_"] if op["op"] == "T"]
        assert drawn == [text, text[::-1]]
