"""Names that collide and texts that would like to be code."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from generated_files import assert_same_program
from golden_models import FEW, FOLDER
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_specs import Data, function, spec

import blox as bx
from blox.schema import Graph, SpecError, from_bytes, op_names, to_json
from blox.schema.names import RESERVED
from blox.schema.registry import families

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
TEMPLATE = [
    *(
        "n",
        "k",
        "s",
        "group",
        "path",
        "array",
        "parents",
        "name",
        "node",
        "p",
        "tree",
        "v",
    ),
    *("keys", "make", "own", "depth", "draw", "sizes", "part", "copies", "flat", "key"),
    *("shape", "folder", "file", "files", "parts", "named", "match", "case", "x", "y"),
]
"""The locals of the functions that are in every file, and soft keywords."""
LOCALS = [
    *("xs", "carry", "layer", "i", "state_in", "new_state", "out", "outputs", "new"),
    *("h_step", "h_x", "h_key", "h_state", "u_x_list", "u_states", "c_then", "m_lane"),
    *("w_body", "w_cond", "key", "step", "f", "x" * 64, "relu", "linear", "batch_norm"),
]
"""Names that the code of loops and branches gives."""
BATCH = {"batch": 2}


def entry(inputs: list[str]) -> Data:
    return {n: {"shape": ["batch", 4], "dtype": "float"} for n in inputs}


def names_of_nodes() -> Data:
    """A node for every name that a node may have, each used twice."""
    nodes: Data = {}
    last = "start"
    names = {*RESERVED, *op_names(), *TEMPLATE, *LOCALS}
    for name in sorted(names - {"relu", "linear"}):
        nodes[name] = {"op": "add", "a": last, "b": last}
        last = name
    nodes |= {"relu": {"op": "relu", "x": last}, "linear": linear("relu")}
    return spec(nodes, "linear", inputs=entry(["start"]))


def linear(x: str) -> Data:
    return {"op": "linear", "x": x, "in_features": 4, "out_features": 4}


def names_of_functions() -> Data:
    """A function and an input of it for every name that the file's own locals have."""
    nodes: Data = {}
    functions: Data = {"own_one": function({"linear": linear("x")}, "linear")}
    last = "start"
    unused = [n for n in op_names() if n not in ("call", "linear")]
    for i, name in enumerate(
        sorted({*TEMPLATE, *LOCALS, *unused} - {*RESERVED, "linear"})
    ):
        same = {"op": "call", "function": "own_one", "inputs": [name]}
        inner = {"same": same} if i % 9 == 0 else {}
        functions[name] = function(inner, {name: next(iter(inner), name)}, {name: {}})
        nodes[f"n{i}"] = {"op": "call", "function": name, "inputs": [last]}
        last = f"n{i}"
    return spec(nodes, last, inputs=entry(["start"]), functions=functions)


def names_of_attributes() -> Data:
    """Attributes named as functions, ops, locals and nodes."""
    names = [*(n for n in LOCALS[:14] if n not in ("f", "step")), "layer_norm", "gain"]
    nodes: Data = {"gain": {"op": "relu", "x": "x"}, "linear": linear("gain")}
    last = "linear"
    for i, name in enumerate(names):
        nodes[f"by_{i}"] = {"op": "multiply", "a": last, "b": f"${name}"}
        last = f"by_{i}"
    nodes["norm"] = {"op": "layer_norm", "x": last, "features": 4}
    inner = function(nodes, {"x": "norm"}, attributes=names)
    calls: Data = {}
    for i in range(2):
        values = {n: i + j for j, n in enumerate(names)}
        calls[f"call_{i}"] = {
            "op": "call", "function": "f", "inputs": ["x"], "attributes": values
        }  # fmt: skip
    return spec(calls, inputs=entry(["x"]), functions={"f": inner})


def names_of_loops(name: str, other: str) -> Data:
    """All loops and branches over functions whose inputs and outputs have these names."""
    body = function(
        {
            "normed": {"op": "batch_norm", "x": name, "features": 4},
            "drop": {"op": "dropout", "x": "normed", "key": "the_key", "rate": 0.5},
            "by": {"op": "multiply", "a": "drop", "b": "$gain"},
            "more": {"op": "multiply", "a": "by", "b": other},
        },
        {name: "more", "seen": "by"},
        {name: {}, other: {}, "the_key": {"dtype": "key", "optional": True}},
        attributes=["gain"],
    )
    inputs = {other: other, "the_key": "rng"}
    fixed = {"inputs": inputs, "attributes": {"gain": 2}}
    once = function(
        {
            "inner": {
                "op": "call",
                "function": "body",
                "inputs": {name: name, other: other, "the_key": "the_key"},
                "attributes": {"gain": 3},
            }
        },
        {name: f"inner.{name}"},
        {name: {}, other: {}, "the_key": {"dtype": "key", "optional": True}},
    )
    same = function({}, {name: name}, once["inputs"])
    test = function(
        {
            "sum": {"op": "sum", "x": name, "axis": None},
            "less": {"op": "less", "a": "sum", "b": 9.0},
        },
        {"go": "less"},
        once["inputs"],
    )
    h = {"op": "repeat", "function": "body", "count": 2, **fixed}
    nodes: Data = {
        "rng": {"op": "rng"},
        other: {"op": "relu", "x": "start"},
        "total": {"op": "sum", "x": other, "axis": None},
        "h": h | {"scan": True, "carry": {name: "start"}},
        "u": h | {"scan": False, "carry": {name: f"h.{name}"}},
        "m": {
            "op": "map", "function": "body", "xs": {name: f"u.{name}"}, "count": 2,
        } | fixed,
        "positive": {"op": "greater", "a": "total", "b": 0.0},
        "c": {
            "op": "cond", "predicate": "positive", "then": "once", "else": "same",
            "inputs": {name: f"m.{name}", **inputs},
        },
        "w": {
            "op": "while_loop", "cond": "test", "body": "once", "max_steps": "$size",
            "carry": {name: "c"}, "inputs": inputs,
        },
        "s": {
            "op": "scan", "function": "body", "length": 2, "carry": {name: "w"},
        } | fixed,
        "seen": {"op": "sum", "x": "h.seen", "axis": 0},
        "listed": {"op": "sum", "x": "u.seen", "axis": 0},
        "end": {"op": "add", "a": f"s.{name}", "b": "seen"},
        "last": {"op": "add", "a": "end", "b": "listed"},
    }  # fmt: skip
    functions = {"body": body, "once": once, "same": same, "test": test}
    for field in ("index", "remat"):
        nodes["s"][field] = None
    given = entry(["start"]) | {"other_start": {"shape": ["size"], "dtype": "float"}}
    return spec(nodes, "last", inputs=given, functions=functions)


PAIRS = list(zip(LOCALS, [*LOCALS[1:], "xs"], strict=True))
CASES: dict[str, Data] = {
    "nodes": names_of_nodes(),
    "functions": names_of_functions(),
    "attributes": names_of_attributes(),
} | {f"loops_{i}": names_of_loops(*pair) for i, pair in enumerate(PAIRS)}


SOME = [*list(CASES)[:3], *list(CASES)[3::5]]


@pytest.mark.parametrize("case", SOME)
def test_names_that_collide(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("generated_files.SIZES", {"batch": 2, "size": 3})
    graph = Graph.parse(CASES[case])
    assert_same_program(graph, bx.generate(graph))


def files() -> dict[str, str]:
    """Those that `test_clean` checks."""
    named = {name: bx.generate(Graph.parse(data)) for name, data in CASES.items()}
    texts = {f"text_{i}": assert_inert(text) for i, text in enumerate(NASTY)}
    return named | texts | {"texts": assert_inert("\n".join(NASTY))}


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_reserved_names_are_refused(name: str) -> None:
    relu = {"relu": {"op": "relu", "x": name}}
    call = {"c": {"op": "call", "function": name, "inputs": ["x"]}}
    for data in (
        spec({"relu": {"op": "relu", "x": "x"}}, name=name),
        spec(relu, inputs=entry([name])),
        spec(call, functions={name: function({}, "x")}),
        spec({"relu": {"op": "relu", "x": "x"}}, attributes={name: 1}),
    ):  # fmt: skip
        with pytest.raises(SpecError, match="expected a name that shadows no"):
            Graph.parse(data)


def test_helpers_of_ops_have_names_that_no_graph_has() -> None:
    for home in families():
        text = (ROOT / "blox" / "ops" / f"{home}.py").read_text(encoding="utf-8")
        for node in ast.parse(text).body:
            if isinstance(node, ast.FunctionDef):
                known = node.name in op_names() or node.name in RESERVED
                outside = node.name[0] == "_" or node.name[-1] == "_"
                assert known or outside, (home, node.name)


# Texts

NASTY = [
    '"""', "'''", '"""\nimport os\n"""', "\\", '\\"""', "{{ config }}", "{% for x in y %}",
    "{# #}", "@docstring @imports", "{x} {0} %s %(x)s", "\x1b[31m\x07\x00\x7f\x9b",
    "\r\n\r x", "\u2028\u2029\x85\x0b\x0c\x1c", "a" * 500, "\u202e\u200b\U0001f600 \u00e9",
    "-> None:\n    eval('1')", "# type: ignore\n# noqa\n# fmt: off", "\\N{DIGIT ONE}\\x41",
    "  indented\n    more\n\tand tabs", ">>> exec('1')", '"' * 7, "x\\", "\ud7ff\ue000",
    "doc\n::error file=a.py::x\n  ::stop-commands::t\n##[error]x", "::warning::first",
    "from __future__ import braces", "coding: latin-1", "a.b:c;d\n\n\n\n\nlast",
]  # fmt: skip


def texts(text: str) -> Data:
    """A Graph with a text wherever one may stand."""
    meta = {"description": text, "license": text, "source": text, "citation": text}
    inner = function({}, "x", doc=text, inputs={"x": {"doc": text}})
    data = spec(
        {"call": {"op": "call", "function": "f", "inputs": ["x"]}},
        functions={"f": inner},
        metadata=meta | {"authors": [text], "tags": [text], "extra": {text: text}},
    )
    data["functions"]["main"]["doc"] = text
    return data


def without_docstrings(source: str) -> str:
    """The tree of a file less its docstrings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef):
            match node.body:
                case [ast.Expr(ast.Constant(str())), *rest]:
                    node.body = rest
    return ast.dump(tree)


PLAIN = without_docstrings(bx.generate(Graph.parse(texts(""))))


def assert_inert(text: str) -> str:
    source = bx.generate(Graph.parse(texts(text)))
    assert without_docstrings(source) == PLAIN
    assert all(" " <= char <= "~" or char == "\n" for char in source)
    commands = ("::", "##[")
    assert not any(x.strip().startswith(commands) for x in source.splitlines())
    assert len(ast.parse(source).body) == len(
        ast.parse(source, type_comments=True).body
    )
    return source


@pytest.mark.parametrize("text", [*NASTY, "\n".join(NASTY)], ids=ascii)
def test_texts_stay_texts(text: str) -> None:
    assert_inert(text)


@settings(max_examples=40)
@given(st.text(st.sampled_from("\"'\\{}%#@ \n\r\tax") | st.characters(codec="utf-8")))
def test_any_text_stays_text(text: str) -> None:
    assert_inert(text)


# Bytes

HASHES = """
import hashlib, sys
from pathlib import Path
from blox.io.generate import generate
from blox.schema import from_bytes
for name in sys.argv[2:]:
    file = Path(sys.argv[1], name + ".json")
    source = generate(from_bytes(file.read_bytes()))
    print(name, hashlib.sha256(source.encode()).hexdigest())
"""


def test_bytes_depend_on_the_graph_alone(tmp_path: Path) -> None:
    """Not on the seed of hashes, the folder, the locale or the time zone.

    The golden files are written, and compared, in other places than this.
    """
    where = {
        "PYTHONHASHSEED": "1",
        "TZ": "Asia/Tokyo",
        "PYTHONPATH": str(ROOT),
        "LC_ALL": "C",
    }
    done = subprocess.run(
        [sys.executable, "-c", HASHES, str(FOLDER), *FEW],
        cwd=tmp_path,
        env={**os.environ, **where},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [
        f"{name} {sha256((GOLDEN / f'{name}.py').read_bytes()).hexdigest()}"
        for name in FEW
    ]


def test_a_graph_made_of_its_own_json_gives_the_same_bytes() -> None:
    for name in SOME[::2]:
        graph = Graph.parse(CASES[name])
        again: Any = from_bytes(to_json(graph).encode())
        assert bx.generate(again) == bx.generate(graph), name
