"""Every model of the tests: generated file and loader are the same program."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from trees import same_structure

import blox as bx
from blox.schema import Graph, from_bytes
from blox.schema.expressions import evaluate
from blox.schema.resolve.program import Instance

HERE = Path(__file__).parents[1]
MODELS = sorted(p.stem for p in (HERE / "models").glob("*.json"))
SIZES = {"batch": 2, "seq": 5, "cached": 8, "height": 8, "width": 8}


@cache
def graph_of(name: str) -> Graph:
    return from_bytes((HERE / "models" / f"{name}.json").read_bytes())


@cache
def module_of(name: str) -> ModuleType:
    """The golden file, imported from where it lies."""
    spec = importlib.util.spec_from_file_location(
        f"golden_{name}", HERE / "golden" / f"{name}.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def inputs(instance: Instance, *, optional: bool) -> list[jax.Array]:
    """Ones for every input, or for those that have to be there."""
    arrays = []
    for given in instance.function.inputs.values():
        if given.optional and not optional:
            continue
        shape: list[int] = []
        for dim in given.shape or ():
            if dim == "...":
                shape += [2, 3]
            elif isinstance(dim, int):
                shape.append(dim)
            elif dim.startswith("$"):
                shape.append(evaluate(dim, instance.values))
            else:
                shape.append(SIZES[dim])
        dtype = "float32" if given.dtype == "float" else given.dtype
        arrays.append(jnp.ones(shape, dtype))
    return arrays


CASES = [
    (name, entry, train, optional)
    for name in MODELS
    for entry, instance in graph_of(name).program().entries.items()
    for train in ([False, True] if instance.uses_train else [False])
    for optional in (
        [False, True]
        if any(i.optional for i in instance.function.inputs.values())
        else [False]
    )
]


def functions(name: str, entry: str, train: bool) -> tuple[Any, Any]:
    """The loaded and the generated function, called alike."""
    graph = graph_of(name)
    loaded = bx.build(graph, entry, train=train)
    generated = getattr(module_of(name), graph.name if entry == "main" else entry)
    instance = graph.program().entries[entry]
    keywords = {"train": train} if instance.uses_train else {}

    def same(params: Any, *args: Any) -> Any:
        result = generated(params, *args, **keywords)
        return result if instance.stateful else (result, {})

    return loaded, same


@pytest.mark.parametrize(("name", "entry", "train", "optional"), CASES)
def test_jaxprs_are_equal(name: str, entry: str, train: bool, optional: bool) -> None:
    graph = graph_of(name)
    params = jax.eval_shape(lambda: bx.init(graph, jax.random.key(0)))
    args = inputs(graph.program().entries[entry], optional=optional)
    loaded, generated = functions(name, entry, train)
    ours = jax.make_jaxpr(loaded, return_shape=True)(params, *args)
    theirs = jax.make_jaxpr(generated, return_shape=True)(params, *args)
    assert str(ours[0]) == str(theirs[0])
    assert ours[1] == theirs[1]


@pytest.mark.parametrize("name", [n for n in MODELS if n != "minilm"])
def test_golden_file_computes_the_same(name: str) -> None:
    graph = graph_of(name)
    params = bx.init(graph, jax.random.key(1))
    made = module_of(name).init_params(jax.random.key(1))
    assert same_structure(params, made)
    # `bx.init` compiles what an initialiser computes, which may round another way.
    close = jax.tree.map(
        lambda a, b: jnp.allclose(a, b, rtol=1e-6, atol=0), params, made
    )
    assert jax.tree.all(close)
    entry = graph.entries[0]
    instance = graph.program().entries[entry]
    loaded, generated = functions(name, entry, instance.uses_train)
    args = inputs(instance, optional=False)
    ours = jax.jit(loaded)(params, *args)
    theirs = jax.jit(generated)(params, *args)
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert bool((a == b).all())


@pytest.mark.parametrize("name", MODELS)
def test_golden_file_is_what_the_generator_writes(name: str) -> None:
    golden = (HERE / "golden" / f"{name}.py").read_text(encoding="utf-8")
    assert bx.generate(graph_of(name)) == golden
    assert bx.generate(from_bytes(bx.schema.to_msgpack(graph_of(name)))) == golden


def test_minilm_is_a_page() -> None:
    golden = (HERE / "golden" / "minilm.py").read_text(encoding="utf-8")
    assert len(golden.splitlines()) <= 170
    assert "blox" not in "".join(x for x in golden.splitlines() if "import" in x)


def test_golden_file_loads_what_blox_saves(tmp_path: Path) -> None:
    graph = graph_of("state_everywhere")
    params = bx.init(graph, jax.random.key(2))
    bx.save(tmp_path, graph, params, max_shard_size=256)
    loaded = module_of("state_everywhere").load_params(tmp_path)
    assert same_structure(params, loaded)
    assert jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), params, loaded))


def test_golden_file_refuses_other_weights(tmp_path: Path) -> None:
    graph = graph_of("dropout_net").replace_attributes(width=8)
    bx.save(tmp_path, graph, bx.init(graph, jax.random.key(2)))
    with pytest.raises(ValueError, match=r"scanned\.linear\.kernel: expected an array"):
        module_of("dropout_net").load_params(tmp_path)


def test_bounds_are_checked_in_both() -> None:
    graph = graph_of("tiny_gpt")
    params = bx.init(graph, jax.random.key(0))
    tokens = jnp.ones((1, 17), jnp.int32)
    with pytest.raises(
        bx.ModelError, match=r"main\.seq: expected at most 16, found 17"
    ):
        bx.build(graph)(params, tokens)
    with pytest.raises(ValueError, match="seq: expected at most 16, found 17"):
        module_of("tiny_gpt").tiny_gpt(params, tokens)
    cache = jnp.ones((3, 1, 4, 4, 8))
    with pytest.raises(bx.ModelError, match="expected cached >= seq"):
        bx.build(graph, "step")(params, tokens[:, :5], 0, cache, cache)
    with pytest.raises(ValueError, match="expected cached >= seq"):
        module_of("tiny_gpt").step(params, tokens[:, :5], 0, cache, cache)
