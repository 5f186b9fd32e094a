"""Gradients and a step of training through classes, as through the loaded model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import optax
import pytest
from class_files import (
    TARGETS,
    arguments_of,
    assert_close,
    flat_params,
    module_of,
    params_of,
    tagger,
)
from class_specs import WRITTEN
from class_specs import graph as small
from parity.classes.calls import flat_arrays

import blox as bx
from blox.schema import Graph, from_bytes

pytestmark = pytest.mark.parity

MODELS = Path(__file__).parents[2] / "models"


def graph_of(name: str) -> Graph:
    if name == "tagger":
        return tagger()
    return from_bytes((MODELS / f"{name}.json").read_bytes())


def loss_of(outputs: Any) -> jax.Array:
    return sum(
        (jnp.mean(jnp.square(x)) for x in jax.tree.leaves(outputs)), jnp.zeros(())
    )


def stepped(target: str, model: Any, args: list[Any], rate: float) -> Any:
    """The model after a step of SGD, by optax."""
    if target == "equinox":
        import equinox as eqx

        gradient = eqx.filter_jit(eqx.filter_grad(lambda m: loss_of(m(*args))))
        optimiser = optax.sgd(rate)
        state = optimiser.init(eqx.filter(model, eqx.is_inexact_array))
        updates, _ = optimiser.update(gradient(model), state)
        return eqx.apply_updates(model, updates)
    from flax import nnx

    def step(model: Any, optimiser: Any) -> None:
        grads = nnx.grad(lambda model: loss_of(model(*args)))(model)
        optimiser.update(model, grads)

    nnx.jit(step)(model, nnx.Optimizer(model, optax.sgd(rate), wrt=nnx.Param))
    return model


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", ["tiny_gpt", "tagger"])
def test_a_step_of_training(name: str, target: Any, tmp_path: Path) -> None:
    graph, rate = graph_of(name), 0.5
    params = params_of(graph)
    bx.save(tmp_path / "model", graph, params)
    args = arguments_of(graph, graph.entries[0], optional=False)
    function = bx.build(graph)
    gradient = jax.jit(jax.grad(lambda p: loss_of(function(p, *args)[0])))(params)
    expected = jax.tree.map(lambda p, g: p - rate * g, params, gradient)
    moved = max(float(jnp.max(jnp.abs(g))) for g in jax.tree.leaves(gradient))
    assert moved > 1e-3
    module = module_of(bx.generate(graph, target=target), f"{name}_{target}_trained")
    model = stepped(target, module.load(tmp_path / "model"), args, rate)
    ours = dict(flat_params(expected))
    for path, array in flat_arrays(target, model).items():
        assert_close(ours[path], array, path)


@pytest.mark.parametrize("target", TARGETS)
def test_gradient_with_batch_statistics(target: Any, tmp_path: Path) -> None:
    """Through batch normalisation in training, scanned copies among it."""
    graph = graph_of("small_resnet")
    params = params_of(graph)
    bx.save(tmp_path / "model", graph, params)
    args = arguments_of(graph, "main", optional=False)
    function = bx.build(graph, train=True)
    expected = jax.jit(jax.grad(lambda p: loss_of(function(p, *args)[0])))(params)
    module = module_of(bx.generate(graph, target=target), f"resnet_{target}")
    model = module.load(tmp_path / "model")
    if target == "equinox":
        import equinox as eqx

        found = eqx.filter_jit(
            eqx.filter_grad(lambda m: loss_of(m(*args, train=True)[0]))
        )(model)
        paths = flat_arrays(target, found)
    else:
        from flax import nnx

        grads = nnx.jit(nnx.grad(lambda m: loss_of(m(*args, train=True))))(model)
        flat = nnx.to_flat_state(grads)
        paths = {".".join(map(str, path)): leaf[...] for path, leaf in flat}
        assert not any(path.endswith((".mean", ".var")) for path in paths)
    ours = dict(flat_params(expected))
    assert len(paths) > 20
    for path, array in paths.items():
        assert_close(ours[path], array, path)


def test_what_is_frozen_is_not_trained(tmp_path: Path) -> None:
    """By its type in NNX, by its gradient in Equinox."""
    import equinox as eqx
    from flax import nnx

    graph = small(WRITTEN["frozen and buffers"])
    bx.save(tmp_path / "model", graph, params_of(graph))
    args = arguments_of(graph, "main", optional=False)
    fixed = {"a.kernel", "w"}
    found = {}
    for target in TARGETS:
        module = module_of(bx.generate(graph, target=target), f"frozen_{target}")
        found[target] = module.load(tmp_path / "model")
    flat = nnx.to_flat_state(nnx.state(found["nnx"], nnx.Param))
    assert {".".join(map(str, path)) for path, _ in flat} == {
        *flat_arrays("nnx", found["nnx"])
    } - fixed
    grads = eqx.filter_grad(lambda model: loss_of(model(*args)))(found["equinox"])
    still = {path for path, g in flat_arrays("equinox", grads).items() if not g.any()}
    assert still == fixed
