"""Recipes of images and of experts against NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest
from builder.numpy_recipes import (
    linear,
    random_params,
    recipes,
    without_mask,
)

import blox as bx
from blox.schema import Graph


def of_images(function: Callable[..., bx.Value], **options: Any) -> Graph:
    b = bx.GraphBuilder("model", width=8)

    @b.entry(x=bx.Input(["batch", "rows", "columns", b.width]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return f.call("r", function)(x, **options)

    return b.graph()


def test_squeeze_excitation_is_that_of_numpy() -> None:
    graph = of_images(recipes.squeeze_excitation, hidden=2)
    params = random_params(graph)
    x = np.random.default_rng(1).normal(size=(2, 4, 6, 8)).astype(np.float32)
    p = params["r"]
    y = linear(np.maximum(linear(x.mean((1, 2)), p["down"]), 0), p["up"])
    wanted = x / (1 + np.exp(-y[:, None, None]))
    np.testing.assert_allclose(bx.build(graph)(params, x)[0], wanted, 1e-5, 1e-5)


def test_patch_embedding_is_that_of_numpy() -> None:
    graph = of_images(recipes.patch_embedding, patch=2, features=5)
    params = random_params(graph)
    x = np.random.default_rng(1).normal(size=(2, 4, 7, 8)).astype(np.float32)
    patches = x[:, :, :6].reshape(2, 2, 2, 3, 2, 8).swapaxes(2, 3).reshape(2, 6, 32)
    p = params["r"]["proj"]
    wanted = patches @ p["kernel"].reshape(32, 5) + p["bias"]
    np.testing.assert_allclose(bx.build(graph)(params, x)[0], wanted, 1e-4, 1e-4)


@pytest.mark.parametrize(
    "lead", [(2, 3, 4), *(pytest.param(n, marks=pytest.mark.slow) for n in ((), (7,)))]
)
def test_experts_are_counted_and_their_balance_is_a_loss(lead: tuple[int, ...]) -> None:
    b = bx.GraphBuilder("model", width=8)

    @b.entry(x=bx.Input(["...", b.width]))
    def main(f: bx.F, x: bx.Value) -> dict[str, bx.Value]:
        run = f.call("r", recipes.mixture_of_experts)
        return run(x, experts=5, top_k=2, hidden=4)

    graph = b.graph()
    params = random_params(graph)
    x = np.random.default_rng(2).normal(size=(*lead, 8)).astype(np.float32)
    found, _ = jax.jit(bx.build(graph))(params, x)
    assert found["y"].shape == x.shape
    powers = np.exp(x.reshape(-1, 8) @ params["r"]["router"]["kernel"])
    shares = powers / powers.sum(-1, keepdims=True)
    counts = np.bincount(np.argsort(-shares)[:, :2].ravel(), minlength=5)
    np.testing.assert_array_equal(found["counts"], counts)
    wanted = 5 * (counts / len(shares) * shares.mean(0)).sum()
    np.testing.assert_allclose(found["loss"], wanted, 1e-5)


@pytest.mark.parametrize(("top_k", "capacity"), [(1, 1.0), (2, 0.5)])
def test_experts_of_a_capacity_drop_what_finds_no_room(
    top_k: int, capacity: float
) -> None:
    """GShard's first algorithm, a choice at a time; of Switch with one choice."""
    b = bx.GraphBuilder("model", width=8)

    @b.entry(x=bx.Input(["batch", "seq", b.width]))
    def main(f: bx.F, x: bx.Value) -> dict[str, bx.Value]:
        run = f.call("r", recipes.mixture_of_experts)
        return run(
            x, experts=5, top_k=top_k, hidden=4, gated=False, activation="relu",
            normalize=top_k > 1, capacity=capacity,
        )  # fmt: skip

    graph = b.graph()
    params = random_params(graph)
    x = np.random.default_rng(2).normal(size=(3, 4, 8)).astype(np.float32)
    found, _ = jax.jit(bx.build(graph))(params, x)
    p, rows = params["r"], x.reshape(-1, 8)
    powers = np.exp(rows @ p["router"]["kernel"])
    shares = powers / powers.sum(-1, keepdims=True)
    chosen = np.argsort(-shares)[:, :top_k]
    room = np.full(5, int(np.ceil(capacity * 12 * top_k / 5)))
    wanted, dropped = np.zeros_like(rows), np.zeros(5, int)
    for choice in range(top_k):
        for i, row in enumerate(rows):
            expert = chosen[i, choice]
            weight = shares[i, expert]
            if top_k > 1:
                weight = weight / shares[i, chosen[i]].sum()
            if room[expert] > 0:
                h = np.maximum(row @ p["up"]["kernel"][expert], 0)
                wanted[i] += weight * (h @ p["down"]["kernel"][expert])
                room[expert] -= 1
            else:
                dropped[expert] += 1
    assert dropped.any()
    np.testing.assert_array_equal(found["dropped"], dropped)
    np.testing.assert_allclose(found["y"].reshape(-1, 8), wanted, 1e-4, 1e-5)


def test_experts_that_are_too_few_are_refused() -> None:
    with pytest.raises(bx.SpecError, match="top_k: expected at most 2, the experts"):
        without_mask(recipes.mixture_of_experts, experts=2, top_k=3, hidden=4)
