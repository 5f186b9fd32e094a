"""`blox edit`: what it writes is what `bx.edit` makes; what it refuses is left alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from safetensors.numpy import load_file
from surgery.checking import filled

import blox as bx
from blox.io.examples import EXAMPLES

GPT = Path(__file__).parents[1] / "models" / "tiny_gpt.json"


@pytest.fixture
def gpt(tmp_path: Path) -> Path:
    graph = bx.load_graph(GPT)
    bx.save(tmp_path / "gpt", graph, filled(graph))
    return tmp_path / "gpt"


def equal(a: Any, b: Any) -> bool:
    same = jax.tree.map(lambda x, y: x.dtype == y.dtype and bool((x == y).all()), a, b)
    return all(jax.tree.leaves(same))


def test_a_model_is_what_the_same_operations_make(
    blox: Callable[..., Any], gpt: Path, tmp_path: Path
) -> None:
    dst = tmp_path / "new"
    run = blox(
        "edit", gpt, dst, "--rename", "attention.qkv=all", "--remove", "mlp.gelu",
        "--copies", "model.h=2", "--lora", "mlp.*", "--rank", 2, "--freeze", "wpe",
        "--train", "wte", "--outputs", "model.h.attn.x", "--seed", 3,
    )  # fmt: skip
    assert (run.code, run.err) == (0, "")
    graph, params = bx.load(gpt)
    edit = (
        bx.edit(graph)
        .rename("attention.qkv", "all")
        .remove("mlp.gelu")
        .copies("model.h", 2)
        .lora("mlp.*", rank=2)
        .freeze("wpe")
        .train("wte")
        .outputs("model.h.attn.x")
    )
    assert run.out == f"{edit.plan}\n{dst}: written; next: blox show {dst}\n"
    made, found = bx.load(dst)
    assert made == edit.graph
    assert equal(found, edit.carry_over(params, jax.random.key(3)))


def test_int8_says_its_error_and_goes_back(
    blox: Callable[..., Any], gpt: Path, tmp_path: Path
) -> None:
    small, large = tmp_path / "small", tmp_path / "large.safetensors"
    run = blox("edit", gpt, small, "--quantize", "mlp.up", "--freeze", "*")
    assert run.code == 0
    assert "relative" in run.out
    run = blox("edit", small, large, "--dequantize", "--merge-lora")
    assert (run.code, run.out) == (1, "")
    run = blox("edit", small, large, "--dequantize", "--train", "*")
    assert run.code == 0
    assert bx.load(large)[0] == bx.load_graph(GPT)


@pytest.mark.parametrize("dst", ["seen.json", "seen.msgpack", "folder"])
def test_a_spec_alone_needs_no_weights(
    blox: Callable[..., Any], tmp_path: Path, dst: str
) -> None:
    run = blox(
        "edit", GPT, tmp_path / dst, "--outputs", "model.h.attn.x", "--freeze", "wte"
    )
    assert (run.code, run.err) == (0, "")
    graph = bx.load_graph(GPT).with_outputs("model.h.attn.x")
    assert bx.load_graph(tmp_path / dst) == bx.edit(graph).freeze("wte").graph
    again = blox("edit", tmp_path / dst, tmp_path / "b.json", "--train", "wte")
    assert again.code == 0
    assert bx.load_graph(tmp_path / "b.json") == graph


def test_nothing_is_written_over_or_without_need(
    blox: Callable[..., Any], gpt: Path, tmp_path: Path
) -> None:
    before = {file: file.read_bytes() for file in gpt.iterdir()}
    freeze = ("--freeze", "wte")
    run = blox("edit", gpt, gpt, *freeze)
    assert (run.code, run.out) == (1, "")
    assert "expected a new place, found" in run.err
    run = blox("edit", gpt, tmp_path / "no", *freeze, "--dry-run")
    assert (run.code, run.out) == (
        0,
        "as is   16 arrays\nfrozen  1 array    wte.embedding\n",
    )
    assert blox("edit", gpt, *freeze, "--dry-run").out == run.out
    assert not (tmp_path / "no").exists()
    assert {file: file.read_bytes() for file in gpt.iterdir()} == before
    assert blox("edit", gpt, gpt, *freeze, "--force").code == 0
    graph, params = bx.load(gpt)
    assert graph.program().leaves()["wte.embedding"].frozen
    assert equal(params, filled(graph))


def test_examples_hold_or_have_new_outputs_or_are_left_out(
    blox: Callable[..., Any], gpt: Path, tmp_path: Path
) -> None:
    graph, params = bx.load(gpt)
    ids = {"tokens": jnp.array([[1, 2, 3]])}
    promised = bx.Example(ids, jnp.ones((1, 3, 64)), 1e9)  # not what it computes
    bx.save(gpt, graph, params, examples=[promised, ids])
    new = tmp_path / "new"
    run = blox("edit", gpt, new, "--freeze", "wte")
    assert "\nexamples 2 hold\n" in run.out
    assert equal(load_file(new / EXAMPLES), load_file(gpt / EXAMPLES))
    run = blox("edit", new, new, "--copies", "model.h=1", "--force")
    assert "\nexamples 1 hold, 1 with new outputs\n" in run.out
    assert bx.verify(new).ok
    run = blox("edit", new, new, "--rename", "main.tokens=ids", "--force")
    assert (
        "\nexamples 2 left out (example 0: main.tokens: no such input; inputs"
        in run.out
    )
    assert not (new / EXAMPLES).exists()
    run = blox("edit", gpt, tmp_path / "one.safetensors", "--freeze", "wte")
    assert "\nexamples 2 left out, as a single file has none\n" in run.out


@pytest.mark.parametrize("name", ["", "graph.json", "graph.msgpack"])
def test_a_spec_does_not_take_the_place_of_that_of_weights(
    blox: Callable[..., Any], gpt: Path, name: str
) -> None:
    before = {file: file.read_bytes() for file in gpt.iterdir()}
    run = blox("edit", GPT, gpt / name, "--freeze", "wte", "--force")
    assert (run.code, run.out) == (1, "")
    assert (
        "params.safetensors: expected no weights where a spec without them" in run.err
    )
    assert {file: file.read_bytes() for file in gpt.iterdir()} == before
    assert blox("edit", GPT, gpt / "seen.json", "--freeze", "wte").code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        ([], 2, "expected DST, or --dry-run"),
        (["new"], 2, "expected an operation, such as --freeze GLOB"),
        (["new", "--copies", "h"], 2, "--copies h: expected PATH=N"),
        (["new", "--copies", "h=1,,2"], 2, "expected PATH=N, such as h=4, or h=0,2,4"),
        (["new", "--copies", "h=-1"], 2, "expected PATH=N"),
        (["new", "--rename", "wte"], 2, "--rename wte: expected OLD=NEW"),
        (["new.json", "--freeze", "wte"], 2, "new.json: expected a model folder or a"),
        (["new", "--freeze", "wtf"], 1, "'wtf': expected a glob that matches the path"),
        (["new", "--copies", "h=1"], 1, "did you mean model.h?"),
        (["new", "--outputs", "\x1b[31m"], 1, r"\x1b[31m"),
        (["new", "--rename", "wte=a\nb"], 1, "expected"),
        (["new", "--merge-lora"], 1, "expected a node lora"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(
    blox: Callable[..., Any],
    gpt: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    text: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    run = blox("edit", gpt, *arguments)
    assert (run.code, run.out) == (code, "")
    assert text in run.err
    assert "\x1b" not in run.err
    assert all(line.startswith("blox: ") for line in run.err.splitlines())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["gpt"]
