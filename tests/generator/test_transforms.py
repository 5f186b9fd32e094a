"""Transformations of JAX over generated functions, and `jax.export` with open sizes."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from generated_files import executed
from jax import export

import blox as bx
from blox.schema import Graph, from_bytes

HERE = Path(__file__).parents[1]
SMALL = {"minilm": {"vocab": 32, "width": 8, "heads": 2, "hidden": 16, "depth": 2}}
"""Attributes that make a model small."""


@cache
def model(name: str) -> tuple[Graph, dict[str, Any], Any]:
    """A model, what its file defines, and parameters."""
    graph = from_bytes((HERE / "models" / f"{name}.json").read_bytes())
    graph = graph.replace_attributes(**SMALL.get(name, {}))
    arrays = jax.eval_shape(lambda: bx.init(graph, jax.random.key(0)))
    params = jax.tree.map(lambda a: positive(*a.shape), arrays)
    return graph, executed(bx.generate(graph)), params


def integers(*shape: int) -> Any:
    return np.random.default_rng(1).integers(0, 32, shape, np.int32)


def positive(*shape: int) -> Any:
    """Numbers that do as variances too."""
    return np.random.default_rng(2).uniform(0.1, 0.3, shape).astype(np.float32)


def assert_alike(found: Any, wanted: Any) -> None:
    shapes = [jax.tree.map(lambda a: (a.shape, a.dtype), t) for t in (found, wanted)]
    assert shapes[0] == shapes[1]


def assert_close(found: Any, wanted: Any) -> None:
    assert_alike(found, wanted)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        assert bool(np.allclose(a, b, rtol=1e-4, atol=1e-5))


@pytest.mark.parametrize(
    ("name", "sizes", "bounds", "draw", "shape"),
    [
        ("tiny_gpt", "batch, seq", ["seq <= 16"], integers, (2, 5)),
        ("minilm", "batch, seq", ["seq <= 512"], integers, (2, 5)),
        # JAX takes ceil(n / 2) and (n - 1) // 2 + 1 for the same of even sizes alone.
        ("small_resnet", "batch, 2*height, 2*width, 3", [], positive, (2, 6, 4, 3)),
    ],
)
def test_one_export_is_for_all_sizes(
    name: str, sizes: str, bounds: list[str], draw: Any, shape: tuple[int, ...]
) -> None:
    graph, names, params = model(name)
    open_shape = export.symbolic_shape(sizes, constraints=bounds)
    open_input = jax.ShapeDtypeStruct(open_shape, draw(1).dtype)
    exported = export.export(jax.jit(names[name]))(params, open_input)

    @jax.jit
    def both(params: Any, inputs: Any) -> Any:
        outputs, state = bx.build(graph)(params, inputs)
        wanted = (outputs, state) if name == "small_resnet" else outputs
        return exported.call(params, inputs), wanted

    assert_close(*both(params, draw(*shape)))
    other = jax.ShapeDtypeStruct((shape[0] + 1, *shape[1:]), open_input.dtype)
    assert_alike(*jax.eval_shape(both, params, other))


def test_bounds_decide_an_export() -> None:
    """A size that may be out of bounds is refused; `step` has one size beside another."""
    _, names, params = model("tiny_gpt")
    (seq,) = export.symbolic_shape("seq")
    tokens = jax.ShapeDtypeStruct((1, seq), jnp.int32)
    with pytest.raises(Exception, match="inconclusive"):
        export.export(jax.jit(names["tiny_gpt"]))(params, tokens)
    bounds = ["seq <= cached", "cached <= 16"]
    seq, cached = export.symbolic_shape("seq, cached", constraints=bounds)
    tokens = jax.ShapeDtypeStruct((1, seq), jnp.int32)
    cache = jax.ShapeDtypeStruct((3, 1, cached, 4, 8), jnp.float32)
    position = jax.ShapeDtypeStruct((), jnp.int32)
    exported = export.export(jax.jit(names["step"]))(
        params, tokens, position, cache, cache
    )
    found = exported.out_avals
    assert [str(a.shape) for a in found] == [
        "(3, 1, cached, 4, 8)",
        "(1, seq, 64)",
        "(3, 1, cached, 4, 8)",
    ]


def test_gradients_and_batches_are_those_of_the_loaded_model() -> None:
    graph, names, params = model("small_resnet")
    images = positive(2, 3, 4, 4, 3)
    loaded, generated = bx.build(graph), names["small_resnet"]

    @jax.jit
    def transformed(params: Any) -> Any:
        found = []
        for model in (loaded, generated):

            def loss(params: Any, x: Any, model: Any = model) -> Any:
                return jnp.sum(jnp.square(model(params, x)[0]))

            found.append(jax.vmap(jax.grad(loss), (None, 0))(params, images))
        return found

    assert_close(*transformed(params))
