"""LoRA and int8 in all models of the tests: back from them, the Graph is the same."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

import blox as bx

MODELS = sorted((Path(__file__).parents[1] / "models").glob("*.json"))
QUICK = ("albert", "cached_decoder", "control_flow", "sequential")
NEITHER = ("counters", "quantized", "state_everywhere", "weight_norm")
TARGETS: tuple[Literal["equinox", "nnx"], ...] = ("equinox", "nnx")


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(
            path, id=path.stem, marks=[] if path.stem in QUICK else [pytest.mark.slow]
        )
        for path in MODELS
        if path.stem not in NEITHER
    ],
)
def test_there_and_back(path: Path) -> None:
    graph = bx.load_graph(path)
    tuned = bx.edit(graph).lora()
    assert not tuned.plan.dropped
    leaves = tuned.graph.program().leaves()
    assert {p for p, leaf in leaves.items() if leaf.trainable} == {
        array.path for array in tuned.plan.new
    }
    frozen = [p for p, x in graph.program().leaves().items() if x.frozen]
    back = bx.edit(tuned.graph).merge_lora().train("*")
    back = back.freeze(*frozen) if frozen else back
    assert back.graph == graph
    assert not back.plan.dropped
    assert not back.plan.new
    small = bx.edit(graph).quantize()
    assert not small.plan.new
    assert not small.plan.dropped
    whole = bx.edit(small.graph).dequantize()
    assert whole.graph == graph
    assert not whole.plan.dropped
    for edit in (tuned, small):
        for target in TARGETS:
            assert bx.generate(edit.graph, target=target)
