"""What is no Graph and no key, where one is expected."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import pytest
from sample_specs import spec

import blox as bx


@pytest.mark.parametrize("use", [bx.build, bx.generate, bx.summary])
@pytest.mark.parametrize("value", [3, ({}, {}), bx.GraphBuilder("m")])
def test_what_is_no_graph(use: Callable[..., Any], value: Any) -> None:
    found = type(value).__name__
    with pytest.raises(TypeError, match=f"expected a Graph, found {found}; `graph, pa"):
        use(value)


def test_what_is_no_key() -> None:
    graph = bx.Graph.parse(spec({"n": {"op": "relu", "x": "x"}}, "n"))
    with pytest.raises(
        TypeError, match=r"a key, such as jax.random.key\(0\), found int"
    ):
        bx.init(graph, 0)  # type: ignore[arg-type]
    with pytest.raises(
        TypeError, match=r"expected one key, found key<fry>\[2\]; jax\.v"
    ):
        bx.init(graph, jax.random.split(jax.random.key(0)))


@pytest.mark.parametrize(
    "use",
    [
        bx.build,
        bx.generate,
        bx.summary,
        lambda g: bx.init(g, jax.random.key(0)),
        lambda g: bx.split(g, {}),
        lambda g: bx.save("model", g, {}),
        lambda g: bx.to_hf("model", g, {}),
    ],
)
@pytest.mark.parametrize("path", ["model", Path("model")])
def test_a_path_is_no_graph(use: Callable[..., Any], path: Any) -> None:
    with pytest.raises(TypeError) as caught:
        use(path)
    wanted = "expected a Graph, found a path; use bx.load_graph(path)"
    assert str(caught.value) == wanted
