"""Operations of `bx.edit`: what stays as it was, an account of all arrays, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from golden_models import graph_of
from jaxprs import same_program
from surgery.checking import assert_exhaustive, program_with

import blox as bx

Operation = Callable[[bx.Edit], bx.Edit]


def some(cases: list[tuple[str, Operation]]) -> list[Any]:
    """All cases, every other one only in the slow run."""
    slow = pytest.mark.slow
    return [
        pytest.param(*c, marks=[slow] if i % 2 else []) for i, c in enumerate(cases)
    ]


SAME: list[tuple[str, Operation]] = [
    ("tiny_gpt", lambda e: e.freeze("wte", "h.*.kernel").train("h.attn")),
    ("tiny_gpt", lambda e: e.rename("attention.qkv", "query_key").rename("mlp", "ffn")),
    ("tiny_gpt", lambda e: e.rename("wte", "embed.tokens").rename("h", "head.h")),
    ("tiny_gpt", lambda e: e.rename("width", "features").rename("main.tokens", "ids")),
    ("tiny_gpt", lambda e: e.copies("model.h", 3).copies("model.h", [0, 1, 2])),
    ("small_resnet", lambda e: e.freeze("stem", "*.first.conv")),
    (
        "control_flow",
        lambda e: e.rename("branch", "fork").rename("euler.rate", "speed"),
    ),
    ("control_flow", lambda e: e.rename("experts", "lanes.more").freeze("path")),
    ("sequential", lambda e: e.freeze("*kernel")),
    ("cached_decoder", lambda e: e.rename("depth", "layers")),
    ("albert", lambda e: e.freeze("*")),
]
"""Operations that change no number that comes out."""


@pytest.mark.parametrize(("name", "operation"), some(SAME))
def test_what_computes_the_same_is_the_same_program(
    name: str, operation: Operation
) -> None:
    graph = graph_of(name)
    edit = operation(bx.edit(graph))
    assert_exhaustive(edit)
    assert edit.plan.new == edit.plan.dropped == ()
    for entry in graph.entries:
        was = program_with(None, graph, entry)
        assert same_program(was, program_with(edit, graph, entry))


def normed(f: bx.F, x: bx.Value) -> bx.Value:
    return f.layer_norm("extra", x)


MORE: list[tuple[str, Operation]] = [
    ("tiny_gpt", lambda e: e.copies("model.h", 5)),
    ("tiny_gpt", lambda e: e.copies("model.h", [2, 0], new="last").freeze("h")),
    ("tiny_gpt", lambda e: e.head(lambda f, x: f.linear("head", x, 10))),
    ("tiny_gpt", lambda e: e.insert(normed, after="mlp.up").rename("mlp.extra", "ln")),
    ("tiny_gpt", lambda e: e.insert(normed, before="*.qkv").remove("attention.extra")),
    ("tiny_gpt", lambda e: e.outputs("model.h.attn.qkv").copies("model.h", 2)),
    ("state_everywhere", lambda e: e.copies("listed", 3).copies("grid", 1)),
    ("state_everywhere", lambda e: e.copies("listed[0].outer", 3).copies("lanes", 2)),
    ("state_everywhere", lambda e: e.copies("widened", [3, 1]).freeze("group")),
    ("albert", lambda e: e.copies("encoder", 2)),
]  # fmt: skip
"""Operations that make, drop or choose arrays."""


@pytest.mark.parametrize(("name", "operation"), some(MORE))
def test_every_array_is_accounted_for(name: str, operation: Operation) -> None:
    edit = operation(bx.edit(graph_of(name)))
    assert_exhaustive(edit)
    assert bx.validate(edit.graph).ok


GPT: list[tuple[Operation, str]] = [
    (lambda e: e.rename("nothing", "x"), "expected a name of the Graph, found 'nothing'"),
    (lambda e: e.rename("mlp.up", "down"), "expected a name that is free, found down"),
    (lambda e: e.rename("width", "depth"), "found depth, which there is"),
    (lambda e: e.rename("mlp", "lambda"), "expected a name, found 'lambda'"),
    (lambda e: e.rename("mlp", "gelu"), "gelu"),
    (lambda e: e.rename("h.attn", "x"), "expected a path below h, where the function of"),
    (lambda e: e.rename("h.ln_1", "h.ln_2"), "'h.ln_2.scale': expected a path of one array"),
    (lambda e: e.rename("h.mlp.up.kernel", "k"), "found that of an array of one"),
    (lambda e: e.rename("block.x", "y", kind="input"), "the repeat"),
    (lambda e: e.rename("mlp", ""), "expected two names, found ''"),
    (lambda e: e.rename("mlp", "x", kind="all"), "expected one of node, function"),  # type: ignore[arg-type]
    (lambda e: e.freeze("h.*.kernle"), "did you mean h."),
    (lambda e: e.freeze(), "expected a glob over paths, found none"),
    (lambda e: e.copies("model", 2), "expected a node with copies"),
    (lambda e: e.copies("h", 2), "did you mean model.h?"),
    (lambda e: e.copies("model.h", -1), "expected 0 to 100000 copies, found -1"),
    (lambda e: e.copies("model.h", 10**9), "found 1000000000"),
    (lambda e: e.copies("model.h", [3]), "expected copies of 0 to 2, found 3"),
    (lambda e: e.copies("model.h", "3"), "expected a count or numbers of copies"),  # type: ignore[arg-type]
    (lambda e: e.copies("model.h", 4, new="first"), '"init" or "last"'),  # type: ignore[arg-type]
    (lambda e: e.copies("model.h[0]", 2), "expected a node with copies"),
    (lambda e: e.remove("mlp.nothing"), "tiny_gpt: expected a glob over"),
    (lambda e: e.replace("mlp.up", "x"), "def writer(f, node)"),  # type: ignore[arg-type]
    (lambda e: e.remove("mlp.up", by="y"), "an operand that is a value (x), found 'y'"),
    (lambda e: e.remove("block.*"), "or a dict of its outputs"),
    (lambda e: e.insert(normed), "expected one of after= and before="),
    (lambda e: e.insert(normed, after="mlp.up", of="x"), "expected one of after="),
    (lambda e: e.head(normed, "nothing"), "expected an output (logits), found 'nothing'"),
    (lambda e: e.outputs("h"), "did you mean model.h?"),
    (lambda e: e.copies("model.h", [True]), "copies of 0 to 2, found True"),
    (lambda e: e.insert("mlp", after="mlp.up"), "a function, found 'mlp'"),  # type: ignore[arg-type]
    (lambda e: e.head(None), "expected a function, found None"),  # type: ignore[arg-type]
    (lambda e: e.lora(8), "globs as texts, found 8"),  # type: ignore[arg-type]
    (lambda e: e.lora("*", alpha=10**400), "lora.alpha: expected a finite number"),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "text"), GPT)
def test_what_is_not_possible_is_said(operation: Operation, text: str) -> None:
    with pytest.raises(bx.BloxError) as caught:
        operation(bx.edit(graph_of("tiny_gpt")))
    assert text in str(caught.value)


def test_an_edit_is_of_a_graph() -> None:
    with pytest.raises(TypeError, match="expected a Graph, found a path"):
        bx.edit("model")  # type: ignore[arg-type]
