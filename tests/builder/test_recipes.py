"""Recipes against NumPy and against Flax, which computes them in another way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import blox as bx
from blox.schema import Graph

recipes = bx.recipes
Numbers = Any  # what NumPy computes with


def graph_of(function: Callable[..., bx.Value], *, cross: bool = False) -> Graph:
    b = bx.GraphBuilder("model", width=8, heads=4)
    x = bx.Input(["batch", "time", "$width"])

    def main(f: bx.FunctionBuilder, x: bx.Value, mask: bx.Value) -> bx.Value:
        return f.call("r", function, x, mask=mask)

    def both(
        f: bx.FunctionBuilder, x: bx.Value, context: bx.Value, mask: bx.Value
    ) -> bx.Value:
        return f.call("r", function, x, context, mask)

    if cross:
        mask = bx.Input(["batch", 1, "time", "keys"], "bool", optional=True)
        b.entry(both, x=x, context=bx.Input(["batch", "keys", 6]), mask=mask)
    else:
        mask = bx.Input(["batch", 1, "time", "time"], "bool", optional=True)
        b.entry(main, x=x, mask=mask)
    return b.graph()


def random_params(graph: Graph) -> Any:
    """Biases too, so that one in the wrong place shows."""
    shapes = jax.eval_shape(lambda key: bx.init(graph, key), jax.random.key(0))
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda s: rng.normal(size=s.shape).astype(np.float32), shapes)


def linear(x: Numbers, p: dict[str, Numbers]) -> Numbers:
    return x @ p["kernel"] + p.get("bias", 0)


def attention(
    p: dict[str, Any],
    x: Numbers,
    context: Numbers,
    heads: int,
    kv_heads: int,
    mask: Numbers = True,
) -> Numbers:
    """One head after another, in float64."""
    q, k, v = (
        linear(x, p["query"]),
        linear(context, p["key"]),
        linear(context, p["value"]),
    )
    dim = q.shape[-1] // heads
    parts = []
    for head in range(heads):
        group = head // (heads // kv_heads)
        own, shared = (slice(i * dim, (i + 1) * dim) for i in (head, group))
        scores = q[..., own] @ np.swapaxes(k[..., shared], -1, -2) / np.sqrt(dim)
        scores = np.where(mask, scores, -1e30)
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights = weights / weights.sum(-1, keepdims=True)
        parts.append(weights @ v[..., shared])
    return linear(np.concatenate(parts, -1), p["out"])


def x_of(width: int = 8, time: int = 5) -> Numbers:
    rng = np.random.default_rng(1)
    return rng.normal(size=(2, time, width)).astype(np.float32)


def f64(params: Any) -> Any:
    return jax.tree.map(lambda a: np.asarray(a, np.float64), params)


@pytest.mark.parametrize(("kv_heads", "head_dim"), [(None, None), (2, None), (1, 3)])
def test_self_attention(kv_heads: int | None, head_dim: int | None) -> None:
    graph = graph_of(
        recipes.multi_head_attention(
            heads="$heads", kv_heads=kv_heads, head_dim=head_dim
        )
    )
    params = random_params(graph)
    found, _ = bx.build(graph)(params, x_of())
    x = x_of().astype(np.float64)
    expected = attention(f64(params)["r"], x, x, 4, kv_heads or 4)
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=1e-4)
    causal = np.tril(np.ones((5, 5), bool))
    found, _ = bx.build(graph)(params, x_of(), np.broadcast_to(causal, (2, 1, 5, 5)))
    expected = attention(f64(params)["r"], x, x, 4, kv_heads or 4, causal)
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=1e-4)


def test_cross_attention_to_a_sequence_of_other_width() -> None:
    graph = graph_of(recipes.multi_head_attention(heads=2, cross=True), cross=True)
    params = random_params(graph)
    context = x_of(6, 7)
    found, _ = bx.build(graph)(params, x_of(), context)
    p = f64(params)["r"]
    expected = attention(p, x_of().astype(np.float64), context.astype(np.float64), 2, 2)
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=1e-4)


@pytest.mark.parity
def test_masked_attention_is_that_of_flax() -> None:
    from flax import linen  # pyright: ignore[reportMissingImports]

    graph = graph_of(recipes.multi_head_attention(heads="$heads"))
    params = random_params(graph)
    mask = np.tril(np.ones((5, 5), bool))[None, None].repeat(2, 0)
    found, _ = bx.build(graph)(params, x_of(), mask)
    p = params["r"]
    split = {
        n: {
            "kernel": p[n]["kernel"].reshape(8, 4, 2),
            "bias": p[n]["bias"].reshape(4, 2),
        }
        for n in ("query", "key", "value")
    }
    out = {"kernel": p["out"]["kernel"].reshape(4, 2, 8), "bias": p["out"]["bias"]}
    layer = linen.MultiHeadDotProductAttention(num_heads=4)
    expected: Any = layer.apply({"params": {**split, "out": out}}, x_of(), mask=mask)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("layout", ["half_split", "interleaved"])
def test_rotary_attention_sees_distances_only(layout: Any) -> None:
    attend = recipes.multi_head_attention(heads=2, rope=layout)
    b = bx.GraphBuilder("model", width=8)

    @b.entry(
        x=bx.Input(["batch", "time", "$width"]), positions=bx.Input(["time"], "int32")
    )
    def main(f: bx.FunctionBuilder, x: bx.Value, positions: bx.Value) -> bx.Value:
        table = f.rope_table("table", positions, dim=4)
        return f.call("r", attend, x, table.cos, table.sin)

    graph = b.graph()
    params = random_params(graph)
    model, x = bx.build(graph), x_of()
    at_0, _ = model(params, x, jnp.arange(5))
    at_7, _ = model(params, x, jnp.arange(5) + 7)
    mixed, _ = model(params, x, jnp.array([0, 3, 1, 4, 2]))
    np.testing.assert_allclose(at_0, at_7, rtol=1e-3, atol=1e-4)
    assert not np.allclose(at_0, mixed, atol=1e-2)


def gelu(x: Numbers) -> Numbers:
    from math import erf

    return x * 0.5 * (1 + np.vectorize(erf)(x / np.sqrt(2)))


def gelu_tanh(x: Numbers) -> Numbers:
    return x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


ACTIVATIONS: dict[Any, Callable[[Numbers], Numbers]] = {
    "gelu": gelu,
    "gelu_tanh": gelu_tanh,
    "relu": lambda x: np.maximum(x, 0),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
}


def without_mask(function: Callable[..., bx.Value]) -> Graph:
    b = bx.GraphBuilder("model", width=8)

    @b.entry(x=bx.Input(["...", "$width"]))
    def main(f: bx.FunctionBuilder, x: bx.Value) -> bx.Value:
        return f.call("r", function, x)

    return b.graph()


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_mlp(activation: Any) -> None:
    graph = without_mask(recipes.mlp(hidden="$4 * width", activation=activation))
    params = random_params(graph)
    p = f64(params)["r"]
    assert p["up"]["kernel"].shape == (8, 32)
    act = ACTIVATIONS[activation]
    expected = linear(act(linear(x_of().astype(np.float64), p["up"])), p["down"])
    found, _ = bx.build(graph)(params, x_of())
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("activation", ["silu", "gelu"])
def test_gated_mlp(activation: Any) -> None:
    graph = without_mask(
        recipes.gated_mlp(hidden=12, features=3, activation=activation)
    )
    params = random_params(graph)
    p, x = f64(params)["r"], x_of().astype(np.float64)
    act = ACTIVATIONS[activation]
    expected = (act(x @ p["gate"]["kernel"]) * (x @ p["up"]["kernel"])) @ p["down"][
        "kernel"
    ]
    found, _ = bx.build(graph)(params, x_of())
    assert found.shape == (2, 5, 3)
    assert set(p["up"]) == {"kernel"}
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)


def normed(x: Numbers, p: dict[str, Numbers], kind: str) -> Numbers:
    if kind == "layer_norm":
        x = x - x.mean(-1, keepdims=True)
    y = x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-3)
    return y * p["scale"] + p.get("bias", 0)


@pytest.mark.parametrize("order", ["pre", "post"])
@pytest.mark.parametrize("norm", ["layer_norm", "rms_norm"])
def test_transformer_block(order: Any, norm: Any) -> None:
    block = recipes.transformer_block(
        attention=recipes.multi_head_attention(heads="$heads"),
        mlp=recipes.mlp(hidden=16, activation="relu"),
        norm=norm,
        eps=1e-3,
        order=order,
    )
    graph = graph_of(block)
    params = random_params(graph)
    p, x = f64(params)["r"], x_of().astype(np.float64)

    def mlp(x: Numbers) -> Numbers:
        return linear(np.maximum(linear(x, p["mlp"]["up"]), 0), p["mlp"]["down"])

    if order == "pre":
        h = normed(x, p["ln_1"], norm)
        x = x + attention(p["attn"], h, h, 4, 4)
        expected = x + mlp(normed(x, p["ln_2"], norm))
    else:
        x = normed(x + attention(p["attn"], x, x, 4, 4), p["ln_1"], norm)
        expected = normed(x + mlp(x), p["ln_2"], norm)
    found, _ = bx.build(graph)(params, x_of())
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_sizes_are_written_as_a_person_would() -> None:
    graph = graph_of(recipes.multi_head_attention(heads="$heads", kv_heads=2))
    nodes = graph.plain()["functions"]["attention"]["nodes"]
    assert nodes["query"]["out_features"] == "$width"
    assert nodes["q"]["shape"] == ["...", "$heads", "$width // heads"]
    assert nodes["key"]["out_features"] == "$2 * (width // heads)"
    assert nodes["out"]["in_features"] == "$width"
    wider = graph.replace_attributes(width=24)
    assert wider.program().leaves()["r.key.kernel"].shape == (24, 12)


def test_variants_in_one_graph_have_names() -> None:
    b = bx.GraphBuilder("model", width=8)

    @b.entry(x=bx.Input(["...", "$width"]))
    def main(f: bx.FunctionBuilder, x: bx.Value) -> bx.Value:
        x = f.call("a", recipes.mlp(hidden=4), x)
        x = f.call("b", recipes.mlp(hidden=4), x)
        return f.call("c", recipes.mlp(hidden=5, name="other"), x)

    assert list(b.graph().functions) == ["main", "mlp", "other"]

    def wrong(f: bx.FunctionBuilder, x: bx.Value) -> bx.Value:
        x = f.call("a", recipes.mlp(hidden=4), x)
        return f.call("b", recipes.mlp(hidden=5), x)

    with pytest.raises(bx.SpecError, match=r"mlp: .* found up.out_features 4 and 5"):
        bx.GraphBuilder("model").entry(wrong, x=bx.Input(["...", 8]))
    with pytest.raises(ValueError, match="expected cross or rope"):
        recipes.multi_head_attention(heads=2, cross=True, rope="half_split")
