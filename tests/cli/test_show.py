"""`blox show` and `bx.summary`: counts, bytes, shared arrays, inert text."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest

import blox as bx
from blox.show.printable import printable
from blox.show.summary import size_text, summary

EVIL = '\x1b[31m\x1b]0;t\x07 [red]x[/red]\n\r\u202e """ {{ x }}'
DENSE = {"op": "linear", "x": "x", "in_features": 4, "out_features": 4}


def graph(nodes: dict[str, Any], output: str, **more: Any) -> bx.Graph:
    block = {
        "inputs": {"x": {}},
        "nodes": {"up": DENSE, "act": {"op": "relu", "x": "up"}},
        "outputs": {"x": "act"},
    }
    main = {
        "inputs": {"x": {"shape": ["batch", 4], "dtype": "float"}},
        "nodes": nodes,
        "outputs": {"y": output},
    }
    functions = {"main": main, "block": block}
    return bx.Graph.parse(
        {"format": "blox/1", "name": "model", "functions": functions, **more}
    )


def test_counts_and_bytes_are_those_of_the_arrays(digits: Path) -> None:
    spec, params = bx.load(digits)
    leaves = jax.tree.leaves(params)
    found = summary(spec, params)
    assert found.parameters + found.state == sum(a.size for a in leaves)
    assert found.nbytes == sum(a.nbytes for a in leaves)
    trainable, _ = bx.split(spec, params)
    assert found.trainable == sum(a.size for a in jax.tree.leaves(trainable))
    entry, *rest = found.rows
    assert entry.count == sum(r.count for r in rest if r.depth == 1)
    assert entry.nbytes == found.nbytes


def test_every_row_counts_what_lies_below_it(digits: Path) -> None:
    rows = summary(bx.load(digits)[0]).rows
    for i, row in enumerate(rows):
        below = []
        for other in rows[i + 1 :]:
            if other.depth <= row.depth:
                break
            below.append(other)
        children = [r for r in below if r.depth == row.depth + 1]
        if children:
            assert row.count == sum(r.count for r in children), row


def test_types_are_those_of_params_and_float_without() -> None:
    spec = graph({"out": DENSE}, "out")
    params = bx.init(spec, jax.random.key(0), dtype="bfloat16")
    assert summary(spec).nbytes == 2 * summary(spec, params).nbytes == 80
    assert "bfloat16[4, 4]" in str(summary(spec, params))
    assert " float[4, 4]" in str(summary(spec))
    shapes = jax.eval_shape(lambda: bx.init(spec, jax.random.key(0)))
    assert "float32[4, 4]" in str(summary(spec, shapes))


def test_tied_arrays_count_once_and_are_shared_after() -> None:
    tied = {**DENSE, "x": "a", "params": "a"}
    found = summary(graph({"a": DENSE, "b": tied}, "b"))
    assert found.parameters == 20
    assert [(r.name, r.count, r.shared) for r in found.rows if r.depth == 1] == [
        ("a", 20, False),
        ("b", 0, True),
    ]
    assert re.search(r"b +linear +\[batch, 4\] +shared", str(found))


@pytest.mark.parametrize("scan", [True, False])
def test_a_repeat_counts_all_copies_and_shows_one(scan: bool) -> None:
    repeat = {"op": "repeat", "function": "block", "count": 3, "carry": {"x": "x"}}
    found = summary(graph({"h": {**repeat, "scan": scan}}, "h"))
    text = str(found)
    assert found.parameters == 60
    assert text.count("kernel") == 1
    assert ("float[3, 4, 4]" in text) is scan
    assert ("1-2" in text) is not scan
    h = next(r for r in found.rows if r.name == "h")
    assert h.count == 60


def test_depth_hides_what_lies_deeper_but_counts_it() -> None:
    call = {"op": "call", "function": "block", "inputs": {"x": "x"}}
    spec = graph({"h": call}, "h")
    names = {d: [r.name for r in summary(spec, depth=d).rows] for d in (0, 1, 2)}
    assert names[0] == ["main"]
    assert names[1] == ["main", "h"]
    assert names[2] == ["main", "h", "up", "kernel", "bias", "act"]
    assert {summary(spec, depth=d).rows[0].count for d in names} == {20}


def test_nodes_are_shown_with_the_shapes_that_they_give() -> None:
    spec = bx.Graph.parse(
        {
            "format": "blox/1",
            "name": "model",
            "attributes": {"width": 4},
            "functions": {
                "main": {
                    "inputs": {"x": {"shape": ["batch", 6], "dtype": "float"}},
                    "nodes": {
                        "up": {"op": "linear", "x": "x", "in_features": 6}
                        | {"out_features": "$2 * width"},
                        "p": {"op": "split", "x": "up", "names": ["a", "b"], "axis": 1},
                        "two": {"op": "concatenate", "xs": ["x", "x"], "axis": 0},
                    },
                    "outputs": {"y": "p.a", "z": "p.b", "two": "two"},
                }
            },
        }
    )
    nodes = {r.name: r.shape for r in summary(spec).rows if not r.is_array}
    assert nodes == {
        "main": "",
        "up": "[batch, 8]",
        "p": "[batch, 4], [batch, 4]",
        "two": "[2*batch, 6]",
    }


def test_branches_and_loops_are_shown_by_role() -> None:
    function = {
        "inputs": {"x": {}},
        "nodes": {
            "w": {"op": "param", "shape": [4]},
            "s": {"op": "add", "a": "x", "b": "w"},
        },
        "outputs": {"x": "s"},
    }
    main = {
        "inputs": {
            "x": {"shape": [4], "dtype": "float"},
            "p": {"shape": [], "dtype": "bool"},
        },
        "nodes": {
            "c": {
                "op": "cond",
                "predicate": "p",
                "then": "one",
                "else": "two",
                "inputs": {"x": "x"},
            }
        },
        "outputs": {"y": "c"},
    }
    spec = bx.Graph.parse(
        {
            "format": "blox/1",
            "name": "model",
            "functions": {"main": main, "one": function, "two": function},
        }
    )
    found = summary(spec)
    assert found.parameters == 8
    assert [r.path for r in found.rows if r.is_array] == ["c.then.w", "c.else.w"]


def test_chains_that_double_give_a_bounded_tree() -> None:
    functions: dict[str, Any] = {
        "f0": {"inputs": {"x": {}}, "nodes": {"u": DENSE}, "outputs": {"x": "u"}}
    }
    for i in range(1, 14):
        call = {"op": "call", "function": f"f{i - 1}"}
        nodes = {
            "a": {**call, "inputs": {"x": "x"}},
            "b": {**call, "inputs": {"x": "a"}},
        }
        functions[f"f{i}"] = {
            "inputs": {"x": {}},
            "nodes": nodes,
            "outputs": {"x": "b"},
        }
    given = {"x": {"shape": ["batch", 4], "dtype": "float"}}
    functions["main"] = {**functions["f13"], "inputs": given}
    found = summary(
        bx.Graph.parse({"format": "blox/1", "name": "model", "functions": functions})
    )
    assert found.parameters == 20 * 2**13
    assert len(found.rows) == 5_000
    assert "and more" in str(found)


def test_text_of_the_file_is_inert() -> None:
    metadata = {"description": EVIL, "license": EVIL, "source": EVIL}
    text = str(summary(graph({"out": DENSE}, "out", metadata=metadata)))
    assert all(line.isprintable() for line in text.splitlines())
    assert text.count(r"\x1b[31m") == 3
    assert "[red]x[/red]" in text


def test_show_escapes_too_and_says_what_it_shows(
    blox: Callable[..., Any], write_spec: Callable[..., Any]
) -> None:
    spec = write_spec({"out": DENSE}, "out", metadata={"description": EVIL})
    run = blox("show", spec)
    assert run.code == 0
    assert all(line.isprintable() for line in run.out.splitlines())
    assert r"description: \x1b[31m\x1b]0;t\x07 [red]x[/red]\n\r\u202e" in run.out


def test_show_reads_types_from_headers(
    blox: Callable[..., Any], tmp_path: Path
) -> None:
    spec = graph({"out": DENSE}, "out")
    params = bx.init(spec, jax.random.key(0), dtype=jnp.bfloat16)
    bx.save(tmp_path / "model", spec, params)
    bx.save(tmp_path / "model.safetensors", spec, params)
    for name in ("model", "model.safetensors"):
        assert "bfloat16[4, 4]" in blox("show", tmp_path / name).out
    (tmp_path / "model" / "params.safetensors").write_bytes(b"\0" * 100)
    run = blox("show", tmp_path / "model")
    assert run.code == 0
    assert " float[4, 4]" in run.out
    assert run.err.startswith("blox: the weights are left out: ")
    assert run.err.count("\n") == 1


def test_show_of_an_unsound_spec_is_its_errors(
    blox: Callable[..., Any], write_spec: Callable[..., Any]
) -> None:
    run = blox("show", write_spec({"out": {**DENSE, "x": "z"}}, "out"))
    assert (run.code, run.out) == (1, "")
    assert run.err.startswith("blox: main.out.x: expected an input")
    assert run.err.count("\n") == 1


def test_printable_keeps_letters_and_spells_out_the_rest() -> None:
    assert printable("Grüße, 世界 ✓") == "Grüße, 世界 ✓"
    assert printable("a\x1b\n\u202e\ud800\x9b") == r"a\x1b\n\u202e\ud800\x9b"
    assert printable("x" * 50, 10) == "xxxxxxx..."
    assert len(printable("\x1b" * 50, 10)) == 10


def test_sizes_in_words() -> None:
    values = [0, 1023, 1024, 90 * 2**20, 2**40]
    expected = ["0 B", "1,023 B", "1.0 KiB", "90.0 MiB", "1.0 TiB"]
    assert [size_text(n) for n in values] == expected


def test_sizes_of_dims_are_counted_at(
    blox: Callable[..., Any], write_spec: Callable[..., Any]
) -> None:
    spec = write_spec({"out": DENSE}, "out")
    assert re.search(r"main +entry .* 36\*batch\n", blox("show", spec).out)
    run = blox("show", spec, "--dim", "batch=100")
    assert re.search(r"main +entry .* 3\.6k\n", run.out)
    assert "[100, 4]" in run.out


@pytest.mark.parametrize(
    ("dims", "code", "text"),
    [
        (
            ["batch"],
            2,
            "expected a dim and its size, as --dim batch=1, found --dim batch",
        ),
        (["batch=x\x1b"], 2, r"found --dim batch=x\x1b"),
        (["batch=-1"], 2, "found --dim batch=-1"),
        (["batch=1", "batch=2"], 2, "expected each dim once, found batch twice"),
        (["batch=" + "9" * 5000], 2, "found --dim batch=99"),
        (
            ["bath=1"],
            1,
            "expected a dim of the entries, found 'bath'; there are: batch",
        ),
        (["batch=4294967296"], 1, "batch: expected an integer from 0 to 2147483647"),
    ],
)
def test_wrong_sizes_are_refused(
    blox: Callable[..., Any],
    write_spec: Callable[..., Any],
    dims: list[str],
    code: int,
    text: str,
) -> None:
    options = [part for dim in dims for part in ("--dim", dim)]
    run = blox("show", write_spec({"out": DENSE}, "out"), *options)
    assert (run.code, run.out) == (code, "")
    assert text in run.err
    assert run.err.count("\n") == 1
    assert len(run.err) < 400


def test_pictures_are_printed(
    blox: Callable[..., Any], write_spec: Callable[..., Any]
) -> None:
    spec = write_spec({"out": DENSE}, "out")
    run = blox("show", spec, "--mermaid", "--dim", "batch=3")
    assert run.out.splitlines()[:4] == [
        "flowchart TD",
        '  subgraph f0["main"]',
        "    direction TB",
        '    f0i0(["x float[batch, 4]"])',
    ]
    assert '    f0n0["out<br/>linear<br/>[3, 4]"]' in run.out.splitlines()
    assert run.out.endswith("\n  end\n")
    run = blox("show", spec, "--dot")
    assert run.out.startswith("digraph {\n")
    assert run.out.endswith("}\n")


@pytest.mark.parametrize(
    "options", [["--dot", "--mermaid"], ["--depth", "1", "--dot"]], ids=" ".join
)
def test_one_output_is_asked_for(
    blox: Callable[..., Any], write_spec: Callable[..., Any], options: list[str]
) -> None:
    run = blox("show", write_spec({"out": DENSE}, "out"), *options)
    assert (run.code, run.out) == (2, "")
    assert run.err.startswith(
        "blox: expected one of --depth, --mermaid, --dot, --html, found "
    )
