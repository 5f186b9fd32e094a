"""Parameters in lists by `params="layers.0"`: drawn, split, kept, saved, generated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from generated_files import executed
from trees import same_structure

import blox as bx
from blox.schema import Graph, from_bytes, to_json

SEQUENTIAL = Path(__file__).parents[1] / "models" / "sequential.json"
X = bx.Input(["batch", 8])


def layer(f: bx.F, x: bx.Value) -> bx.Value:
    return f.linear("up", x, 8)


def numbered(count: int) -> Graph:
    b = bx.GraphBuilder("model")

    @b.entry(x=X)
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        for i in range(count):
            x = f.call(f"layer{i}", layer, params=f"h.{i}")(x)
        return x

    return b.graph()


def repeated(count: int, *, scan: bool = False) -> Graph:
    b = bx.GraphBuilder("model")

    @b.entry(x=X)
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return f.repeat("h", layer, count=count, scan=scan)(x)

    return b.graph()


def equal(a: Any, b: Any) -> None:
    assert same_structure(a, b)
    jax.tree.map(np.testing.assert_array_equal, a, b)


def test_a_part_starts_as_a_copy_of_an_unrolled_repeat_does() -> None:
    key = jax.random.key(3)
    params = bx.init(numbered(3), key)
    equal(params, bx.init(repeated(3), key))
    assert isinstance(params["h"], list)
    x = jnp.ones((2, 8))
    ours, theirs = (bx.build(g)(params, x)[0] for g in (numbered(3), repeated(3)))
    np.testing.assert_array_equal(ours, theirs)


def test_weights_of_either_are_those_of_the_other(tmp_path: Path) -> None:
    params = bx.init(repeated(3), jax.random.key(0))
    bx.save(tmp_path / "listed", repeated(3), params)
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *params["h"])
    bx.save(tmp_path / "stacked", repeated(3, scan=True), {"h": stacked})
    load = executed(bx.generate(numbered(3)))["load_params"]
    for folder in ("listed", "stacked"):
        equal(load(tmp_path / folder), params)
        (tmp_path / folder / "graph.json").write_text(to_json(numbered(3)))
        with pytest.warns(UserWarning, match="the Graph was changed"):
            equal(bx.load(tmp_path / folder)[1], params)


@pytest.fixture(scope="module")
def sequential() -> tuple[Graph, Any]:
    graph = from_bytes(SEQUENTIAL.read_bytes())
    return graph, bx.init(graph, jax.random.key(0))


def test_saved_and_loaded(sequential: tuple[Graph, Any], tmp_path: Path) -> None:
    graph, params = sequential
    bx.save(tmp_path / "m", graph, params)
    loaded, again = bx.load(tmp_path / "m")
    assert loaded == graph
    equal(again, params)
    equal(executed(bx.generate(graph))["load_params"](tmp_path / "m"), params)


def test_split_and_merged(sequential: tuple[Graph, Any]) -> None:
    graph, params = sequential
    trainable, rest = bx.split(graph, params)
    assert jax.tree.map(jnp.shape, trainable["scales"]) == [(4,), {}]
    assert jax.tree.map(jnp.shape, rest["scales"]) == [{}, (4,)]
    equal(bx.merge(trainable, rest), params)
    frozen, _ = bx.split(graph, params, freeze=["features.0", "blocks.*.mlp.0.kernel"])
    assert frozen["features"][0] == {}
    assert list(frozen["blocks"][1]["mlp"][0]) == ["bias"]


def test_parts_start_as_they_say(sequential: tuple[Graph, Any]) -> None:
    """Parts of one name that differ have rows by number in the generated file."""
    graph, params = sequential
    scales = params["scales"]
    np.testing.assert_array_equal(scales[0], np.ones(4))
    np.testing.assert_array_equal(scales[1], np.zeros(4))
    source = bx.generate(graph)
    assert '"scales.1": jax.nn.initializers.zeros,' in source
    made = executed(source)["init_params"](jax.random.key(0))
    assert same_structure(made, params)


def test_state_lies_in_the_same_lists(sequential: tuple[Graph, Any]) -> None:
    graph, params = sequential
    _, state = bx.build(graph, train=True)(params, jnp.ones((3, 4)))
    assert state["features"][0] == {}
    assert set(state["features"][1]) == {"mean", "var"}
    assert [len(part["mlp"][1]) for part in state["blocks"]] == [2, 2, 2]
    merged = bx.merge(params, state)
    assert same_structure(merged, params)
    moved = merged["features"][1]["mean"] != params["features"][1]["mean"]
    assert bool(moved.any())
    equal(merged["features"][0], params["features"][0])


def test_dtypes_of_parts(tmp_path: Path) -> None:
    b = bx.GraphBuilder("model")

    @b.entry(x=X)
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        first = f.buffer("first", [8], dtype="int8", params="steps.0")
        return x + first + f.param("second", [8], params="steps.1")

    graph = b.graph()
    params = bx.init(graph, jax.random.key(0))
    assert [str(p.dtype) for p in params["steps"]] == ["int8", "float32"]
    names = executed(bx.generate(graph))
    made = names["init_params"](jax.random.key(0))
    assert [str(p.dtype) for p in made["steps"]] == ["int8", "float32"]
    bx.save(tmp_path / "m", graph, params)
    equal(names["load_params"](tmp_path / "m"), params)


def test_a_part_of_the_model_has_its_arrays(sequential: tuple[Graph, Any]) -> None:
    graph, params = sequential
    part = graph.extract("second")
    own = part.params(params)
    equal(own, params["blocks"][1])
    assert same_structure(own, bx.init(part.graph, jax.random.key(0)))


def test_what_params_lack_is_said(sequential: tuple[Graph, Any]) -> None:
    graph, params = sequential
    short = {**params, "blocks": params["blocks"][:2]}
    with pytest.raises(
        bx.ModelError, match=r"expected '2' in Params, found a list of 2"
    ):
        bx.build(graph)(short, jnp.ones((3, 4)))


def test_included_graphs_keep_their_lists() -> None:
    b = bx.GraphBuilder("outer")
    base = b.include(numbered(2))

    @b.entry(x=X)
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return f.call("inner", base.main)(x)

    params = bx.init(b.graph(), jax.random.key(0))
    assert jax.tree.map(jnp.shape, params) == {
        "inner": {"h": [{"up": {"bias": (8,), "kernel": (8, 8)}}] * 2}
    }
