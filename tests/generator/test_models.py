"""Every model of the tests: generated file and loader are the same program."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from generated_files import assert_same_way, executed, functions, ways
from golden_models import NAMES, few, graph_of
from trees import same_structure

import blox as bx
from blox.schema import from_bytes

HERE = Path(__file__).parents[1]


@cache
def names_of(name: str) -> dict[str, Any]:
    """What the golden file defines."""
    return executed((HERE / "golden" / f"{name}.py").read_text(encoding="utf-8"))


def generated(name: str, function: str) -> Any:
    return names_of(name)[function]


CASES = few((name, *way) for name in NAMES for way in ways(graph_of(name)))


@pytest.mark.parametrize(("name", "entry", "train", "optional"), CASES)
def test_jaxprs_are_equal(name: str, entry: str, train: bool, optional: bool) -> None:
    graph = graph_of(name)
    params = jax.eval_shape(lambda: bx.init(graph, jax.random.key(0)))
    assert_same_way(graph, names_of(name), params, entry, train, optional)


@pytest.mark.parametrize("name", few((n,) for n in NAMES if n != "minilm"))
def test_golden_file_makes_the_same_arrays(name: str) -> None:
    graph = graph_of(name)

    @jax.jit
    def both(key: jax.Array) -> tuple[Any, Any]:
        return bx.init(graph, key), generated(name, "init_params")(key)

    params, made = both(jax.random.key(1))
    assert same_structure(params, made)
    # Each is compiled in its own way, which may round otherwise.
    close = jax.tree.map(
        lambda a, b: jnp.allclose(a, b, rtol=1e-6, atol=0), params, made
    )
    assert jax.tree.all(close)


def test_golden_file_computes_the_same() -> None:
    """Once, with numbers: what has the same jaxpr computes the same."""
    graph = graph_of("tiny_gpt")
    params = bx.init(graph, jax.random.key(1))
    loaded, same = functions(graph, names_of("tiny_gpt"), "main", False)
    tokens = jnp.arange(10).reshape(2, 5)
    ours, theirs = jax.jit(loaded)(params, tokens), jax.jit(same)(params, tokens)
    found, wanted = jax.tree.leaves(theirs), jax.tree.leaves(ours)
    assert len(found) == len(wanted) > 0
    for a, b in zip(found, wanted, strict=True):
        assert bool((a == b).all())
        assert bool(jnp.abs(a).max() > 0)


@pytest.mark.parametrize("name", NAMES)
def test_golden_file_is_what_the_generator_writes(name: str) -> None:
    golden = (HERE / "golden" / f"{name}.py").read_text(encoding="utf-8")
    assert bx.generate(graph_of(name)) == golden
    assert bx.generate(from_bytes(bx.schema.to_msgpack(graph_of(name)))) == golden


def test_minilm_is_a_page_and_its_tail_another() -> None:
    golden = (HERE / "golden" / "minilm.py").read_text(encoding="utf-8")
    model, tail = golden.split("# The shape of each array")
    assert len(model.splitlines()) <= 122
    assert len(tail.splitlines()) <= 110
    assert "blox" not in "".join(x for x in golden.splitlines() if "import" in x)


def test_golden_file_loads_what_blox_saves(tmp_path: Path) -> None:
    graph = graph_of("state_everywhere")
    params = bx.init(graph, jax.random.key(2))
    bx.save(tmp_path, graph, params, max_shard_size=256)
    loaded = generated("state_everywhere", "load_params")(tmp_path)
    assert same_structure(params, loaded)
    assert jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), params, loaded))


def test_golden_file_refuses_other_weights(tmp_path: Path) -> None:
    graph = graph_of("dropout_net").replace_attributes(width=8)
    bx.save(tmp_path, graph, bx.init(graph, jax.random.key(2)))
    with pytest.raises(ValueError, match=r"scanned\.linear\.kernel: expected float \("):
        generated("dropout_net", "load_params")(tmp_path)


def test_bounds_are_checked_in_both() -> None:
    graph = graph_of("tiny_gpt")
    params = jax.eval_shape(lambda: bx.init(graph, jax.random.key(0)))
    tokens = jnp.ones((1, 17), jnp.int32)
    with pytest.raises(
        bx.ModelError, match=r"main\.seq: expected at most 16, found 17"
    ):
        bx.build(graph)(params, tokens)
    with pytest.raises(ValueError, match="expected seq=17 <= cached=17 <= 16"):
        generated("tiny_gpt", "tiny_gpt")(params, tokens)
    cache = jnp.ones((3, 1, 4, 4, 8))
    with pytest.raises(bx.ModelError, match="expected cached >= seq"):
        bx.build(graph, "step")(params, tokens[:, :5], 0, cache, cache)
    with pytest.raises(ValueError, match="expected seq=5 <= cached=4 <= 16"):
        generated("tiny_gpt", "step")(params, tokens[:, :5], 0, cache, cache)
