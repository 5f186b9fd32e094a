"""The models that the repo ships elsewhere: their generated files are the loaded models."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jaxprs import assert_same_jaxpr

import blox as bx
from blox.schema import Graph, from_bytes

HERE = Path(__file__).parents[1]


def demo() -> Graph:
    return from_bytes((files("blox.demo_data") / "graph.json").read_bytes())


def tiny_bert() -> Graph:
    return bx.from_hf(HERE / "hf" / "tiny_bert")[0]


IDS = jnp.ones((2, 7), jnp.int32)
CASES = [
    (demo, "main", [jnp.ones((3, 8, 8))], {"train": False}),
    (demo, "main", [jnp.ones((3, 8, 8)), jax.random.key(0)], {"train": True}),
    *(
        (tiny_bert, entry, [IDS] * count, {})
        for entry in ("main", "sentence_embedding")
        for count in (1, 2, 3)
    ),
]


@pytest.mark.parametrize(("make", "entry", "args", "keywords"), CASES)
def test_jaxprs_are_equal(
    make: Any, entry: str, args: list[Any], keywords: dict[str, Any]
) -> None:
    graph = make()
    module = ModuleType(graph.name)
    exec(compile(bx.generate(graph), graph.name, "exec"), module.__dict__)
    generated = getattr(module, graph.name if entry == "main" else entry)
    params = jax.eval_shape(lambda: bx.init(graph, jax.random.key(0)))
    loaded = bx.build(graph, entry, **keywords)
    ours = jax.make_jaxpr(loaded)(params, *args)
    theirs = jax.make_jaxpr(lambda p, *a: generated(p, *a, **keywords))(params, *args)
    assert_same_jaxpr(ours, theirs)
