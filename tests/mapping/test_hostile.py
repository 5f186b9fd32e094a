"""Rules of strangers: refused, or they do what rules do, in little time and memory."""

from __future__ import annotations

import dataclasses
import json
import random
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from mapping.models import RULES, model, params

import blox as bx
from blox.mapping.layouts import ALL
from blox.mapping.rules import from_json, to_json

VALUES = [
    0, 1, 2, 3, -1, 2**31, 2**40, 1.5, "ab", "ba", "i j -> j i", "(a b) c -> c (b a)",
    "float32", "int64", True, None, [1, 2], [3, 1], [1, 0], {}, {"a": 2}, {"pattern": 1},
]  # fmt: skip
OURS = [
    "layers.{i}.norm.scale",
    "layers.{i}.up.bias",
    "attention.q.kernel",
    "head.bias",
]
PATTERNS = ["x", "**", "{i}", "h.{i}.**", "*.{i+1}", "attention.{n}.kernel"]


def rows(drawn: random.Random, theirs: list[str]) -> list[Any]:
    """Rules at random, with fields of any kind."""

    def names() -> Any:
        known = OURS if drawn.random() < 0.6 else [*PATTERNS, *theirs]
        some = [drawn.choice(known) for _ in range(drawn.randint(0, 3))]
        return drawn.choice(known) if drawn.random() < 0.7 else some

    def layout() -> dict[str, Any]:
        kind = drawn.choice([*ALL])
        given = [f.name for f in dataclasses.fields(ALL[kind]) if drawn.random() < 0.7]
        return {"name": kind} | {name: drawn.choice(VALUES) for name in given}

    return [
        {
            "ours": names(),
            "theirs": names(),
            "layouts": [layout() for _ in range(drawn.randint(0, 3))],
        }
        for _ in range(drawn.randint(1, 4))
    ]


@pytest.mark.slow
def test_rules_at_random_raise_errors_of_blox_alone() -> None:
    graph, given = model(), params(model())
    tree = dict(bx.unmap_params(graph, given, RULES))
    drawn, read = random.Random(0), 0
    for _ in range(1500):
        with suppress(bx.BloxError):
            rules = from_json(json.dumps(rows(drawn, [*tree])))
            read += 1
            assert from_json(to_json(rules)) == rules
            assert eval(repr(rules), {"bx": bx}) == rules
            rest = [bx.New("**"), bx.Ignored("**")]
            back = bx.unmap_params(graph, given, [*rules, *rest])
            for name in back:
                with suppress(bx.BloxError):
                    assert back[name].shape == back.spec(name).shape
            bx.map_params(graph, tree, [*rules, *rest])
    assert read > 100


@pytest.mark.slow
def test_rules_that_fit_everything_end_soon() -> None:
    graph = model()
    many = [bx.Rule(("**",) * 4000, tuple(f"b{i}.{{n}}" for i in range(4000)))] * 20
    with pytest.raises(bx.SpecError, match="fit a few names each"):
        bx.map_params(graph, {"x": np.zeros(1)}, many)
    deep = bx.Rule("**", ".".join(["{a}"] * 60))
    long = {".".join(["a"] * 800): np.zeros(1)}
    with pytest.raises(bx.WeightsError):
        bx.map_params(graph, long, [deep])
    wide = [bx.Rule(f"layers.{'x' * i}*.{{n}}.kernel", "a") for i in range(150)]
    with pytest.raises(bx.WeightsError):
        bx.map_params(graph, {}, wide * 100)
