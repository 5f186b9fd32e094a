"""How long the rest of a generated file is, behind the model; and without `init_params`."""

from __future__ import annotations

from pathlib import Path

import pytest
from generated_files import assert_tidy, executed
from generator.array_cases import (
    BLOCK,
    X,
    assert_equal,
    graph_of,
    params_of,
    repeat,
)
from sample_specs import spec

import blox as bx
from blox.schema import Graph

TAILS = {"plain": 56, "scanned": 66, "listed": 66, "nested_01": 75, "mixed": 79}


@pytest.mark.parametrize(("case", "most"), TAILS.items())
def test_tails_are_short(case: str, most: int) -> None:
    _, _, tail = bx.generate(graph_of(case)).partition("def init_params(")
    assert len(tail.splitlines()) <= most


GOLDENS = {
    "cached_decoder": 94,
    "albert": 83,
    "control_flow": 78,
    "dropout_net": 95,
    "minilm": 93,
    "small_resnet": 115,
    "state_everywhere": 106,
    "tiny_gpt": 93,
    "weight_norm": 79,
}


@pytest.mark.parametrize(("model", "most"), GOLDENS.items())
def test_tails_of_models_are_short_with_their_tables(model: str, most: int) -> None:
    text = (Path(__file__).parents[1] / "golden" / f"{model}.py").read_text("utf-8")
    lines = text.splitlines()
    starts = ("# The shape of each array", "def identity_shapes")
    first = next(i for i, line in enumerate(lines) if line.startswith(starts))
    assert len(lines) - first <= most


@pytest.mark.parametrize("case", ["drawing", "mixed"])
def test_without_init_what_only_new_parameters_need_is_left_out(
    case: str, tmp_path: Path
) -> None:
    graph, params = graph_of(case), params_of(case)
    source = bx.generate(graph, init=False)
    names = executed(source)
    assert not {"init_params", "INIT", "in_float32"} & names.keys()
    assert "initializers" not in source
    bx.save(tmp_path, graph, params)
    assert_equal(names["load_params"](tmp_path), params)
    assert_tidy({case: source}, tmp_path)
    lines = [line for line in source.splitlines() if " import " not in line]
    assert {*lines} < {*bx.generate(graph).splitlines()}


def test_copies_that_are_alike_are_one_row() -> None:
    lines = []
    for count in (3, 20_000):
        data = spec(
            {"h": repeat("block", False, count)}, inputs=X, functions={"block": BLOCK}
        )
        lines.append(bx.generate(Graph.parse(data)).count("\n"))
    assert lines[0] == lines[1]
