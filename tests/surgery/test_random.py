"""Operations drawn at random, on random models and those of the tests: all hold their plan."""

from __future__ import annotations

import contextlib
from collections import Counter
from random import Random

import jax
import numpy as np
import pytest
from golden_models import graph_of
from random_programs import program
from surgery.checking import assert_exhaustive
from surgery.inner import arguments, inner_paths

import blox as bx

MODELS = ["albert", "cached_decoder", "control_flow", "state_everywhere", "tiny_gpt",
          "tiny_moe", "small_resnet", "starts", "unet"]  # fmt: skip


KINDS = ["rename", "path", "function", "freeze", "train", "outputs", "copies", "remove",
         "insert", "replace", "lora"]  # fmt: skip


def drawn(edit: bx.Edit, draw: Random, kinds: list[str] = KINDS) -> tuple[str, bx.Edit]:
    """The Edit with one more operation, and what that is called."""
    graph = edit.graph
    entry = graph.program().entries[graph.entries[0]]
    nodes = [f"{f}.{n}" for f, own in graph.functions.items() for n in own.nodes]
    leaves = [*graph.program().leaves()] or ["none"]
    node, leaf = draw.choice(nodes), draw.choice(leaves)
    paths = inner_paths(entry)
    repeats = [s.name for s in entry.steps if s.op.op in ("repeat", "map")]

    def passed(f: bx.F, node: bx.Node) -> object:
        return node()

    def more(f: bx.F, x: bx.Value) -> bx.Value:
        return x * f.param("more", [], init={"value": {"name": "ones"}})

    name = draw.choice(kinds)
    match name:
        case "rename":
            return name, edit.rename(node, f"new_{draw.randint(0, 99)}", kind="node")
        case "path":
            old = leaf.rpartition(".")[0] or leaf
            new = f"{old}_{draw.randint(0, 99)}"
            return name, edit.rename(old, new, kind="path")
        case "function":
            old = draw.choice([*graph.functions])
            return name, edit.rename(old, f"f_{draw.randint(0, 99)}", kind="function")
        case "freeze":
            return name, edit.freeze(leaf)
        case "train":
            return name, edit.train(leaf)
        case "outputs":
            return name, edit.outputs(draw.choice(paths))
        case "copies" if repeats:
            new = draw.choice(["init", "last"])
            count = draw.choice([1, 2, 5, [0], [0, 0]])
            return name, edit.copies(draw.choice(repeats), count, new=new)  # type: ignore[arg-type]
        case "remove":
            return name, edit.remove(node)
        case "insert":
            return name, edit.insert(more, after=node)
        case "lora":
            return name, edit.lora(node, rank=2)
        case _:
            return "replace", edit.replace(node, passed)


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(i, marks=pytest.mark.slow) for i in range(1, 12))]
)
def test_operations_one_after_another(seed: int) -> None:
    draw = Random(seed)
    name = draw.choice(MODELS)
    edit = bx.edit(graph_of(name) if seed % 3 else program(seed)())
    done: Counter[str] = Counter()
    for _ in range(12 if seed else 6):
        try:
            kind, edit = drawn(edit, draw)
        except bx.BloxError:
            continue  # said where it is tested
        done[kind] += 1
        assert edit.graph.program() is not None
    assert_exhaustive(edit)
    assert bx.validate(edit.graph).ok
    assert sum(done.values()) >= 2


NEUTRAL = ["rename", "path", "function", "freeze", "train", "outputs", "replace"]


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(i, marks=pytest.mark.slow) for i in range(1, 9))]
)
def test_what_changes_no_number_changes_no_bit(seed: int) -> None:
    """Op by op: compiled as a whole, XLA may round otherwise where more is asked for."""
    draw = Random(seed)
    graph = graph_of(["control_flow", "tiny_gpt", "cached_decoder"][seed % 3])
    edit = bx.edit(graph)
    for _ in range(8):
        with contextlib.suppress(bx.BloxError):
            edit = drawn(edit, draw, NEUTRAL)[1]
    assert len(edit.steps) > 3
    params = bx.init(graph, jax.random.key(seed))
    args = arguments(graph.program().entries["main"], seed)
    with jax.disable_jit():
        found = bx.build(edit.graph)(edit.carry_over(params), *args)[0]
        wanted = bx.build(graph)(params, *args)[0]
    names = list(graph.functions["main"].outputs)
    own = list(edit.graph.functions[edit.graph.entries[0]].outputs)[: len(names)]
    found = {own[0]: found} if not isinstance(found, dict) else found
    wanted = {names[0]: wanted} if not isinstance(wanted, dict) else wanted
    for name, same in zip(names, own, strict=True):
        a, b = jax.tree.leaves(wanted[name]), jax.tree.leaves(found[same])
        assert [x.tobytes() for x in map(np.asarray, a)] == [
            y.tobytes() for y in map(np.asarray, b)
        ]
