"""The models that `benchmarks/definitions.py` counts, as the builder makes them.

`tests/parity/test_definitions.py` compares them with those of Flax NNX.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import pytest
from benchmark_files import benchmark

import blox as bx

PARAMETERS = {
    # conv, norm: k * i * o + o, 2 * o; of torchcrepe's tiny one
    "crepe": sum(k * i * o + 3 * o for k, i, o in [(512, 1, 128), (64, 128, 16)])
    + sum(64 * i * o + 3 * o for i, o in [(16, 16), (16, 16), (16, 32), (32, 64)])
    + 257 * 360,
    # tables, layers of 12 * w * w + 13 * w, the last norm
    "tiny_gpt": (256 + 128) * 64 + 4 * (12 * 64**2 + 13 * 64) + 2 * 64,
    "resnet50": 25_557_032,  # torchvision's
    # four gates each, one bias where torch adds two; then linear
    "lstm": 4 * 256 * ((40 + 256 + 1) + 2 * (256 + 256 + 1)) + 257 * 256,
    "bert": 22_713_216,  # sentence-transformers/all-MiniLM-L6-v2
}
OTHERS: dict[str, dict[str, Any]] = {
    "tiny_gpt": {"vocab": 50, "width": 32, "depth": 2, "heads": 2, "context": 16},
    "resnet50": {"width": 8, "classes": 10},
    "lstm": {"mels": 8, "hidden": 16},
    "bert": {"width": 32, "depth": 2, "heads": 4, "hidden": 48, "types": 3},
}
"""Model -> other attributes; crepe has none."""


def make(model: str) -> Any:
    """The function that writes a model."""
    return getattr(benchmark(f"definitions/{model}_blox"), model)


@pytest.mark.parametrize("model", PARAMETERS)
def test_definitions_have_the_parameters_of_the_published_models(model: str) -> None:
    leaves = make(model)().program().leaves().values()
    found = sum(math.prod(leaf.full_shape) for leaf in leaves if leaf.kind == "param")
    assert found == PARAMETERS[model]


@pytest.mark.parametrize("model", OTHERS)
def test_definitions_follow_their_attributes(model: str) -> None:
    smaller = partial(
        make(model), **({"depths": (2, 1)} if model == "resnet50" else {})
    )
    bx.check_attributes(smaller, **OTHERS[model])


def test_definitions_take_four_fifths_of_the_lines_of_flax() -> None:
    counts = benchmark("definitions").counts()
    assert set(counts) == set(PARAMETERS)
    nnx, blox = (sum(column) for column in zip(*counts.values(), strict=True))
    assert blox <= 0.8 * nnx


def test_lines_of_code_are_those_that_do_something() -> None:
    text = '"""Doc."""\n\nimport a  # b\nfrom c import (\n    d,\n)\n\n\n# no\n'
    count = benchmark("definitions").lines_of_code
    assert count(text) == 0
    assert (
        count(text + 'def f(\n    x,\n):\n    """Doc\n    string."""\n\n    g(x)\n')
        == 4
    )
    assert count('x = """a\nb"""\n') == 2
