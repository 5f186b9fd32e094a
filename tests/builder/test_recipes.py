"""Recipes against NumPy and against Flax, which computes them in another way."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from builder.numpy_recipes import (
    ACTIVATIONS,
    Numbers,
    attention,
    f64,
    graph_of,
    linear,
    normed,
    random_params,
    recipes,
    without_mask,
    x_of,
)

import blox as bx
from blox.schema import Graph


@pytest.mark.parametrize(("kv_heads", "head_dim"), [(None, None), (2, None), (1, 3)])
def test_self_attention(kv_heads: int | None, head_dim: int | None) -> None:
    graph = graph_of(
        recipes.multi_head_attention,
        heads="$heads",
        kv_heads=kv_heads,
        head_dim=head_dim,
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
    b = bx.GraphBuilder("model", width=8)

    @b.entry(
        x=bx.Input(["batch", "time", b.width]), context=bx.Input(["batch", "keys", 6])
    )
    def main(f: bx.F, x: bx.Value, context: bx.Value) -> bx.Value:
        return f.call("r", recipes.multi_head_attention)(x, context, heads=2)

    graph = b.graph()
    params = random_params(graph)
    context = x_of(6, 7)
    found, _ = bx.build(graph)(params, x_of(), context)
    p = f64(params)["r"]
    expected = attention(p, x_of().astype(np.float64), context.astype(np.float64), 2, 2)
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=1e-4)


@pytest.mark.parity
def test_masked_attention_is_that_of_flax() -> None:
    from flax import linen  # pyright: ignore[reportMissingImports]

    graph = graph_of(recipes.multi_head_attention, heads="$heads")
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
    b = bx.GraphBuilder("model", width=8)

    @b.entry(
        x=bx.Input(["batch", "time", b.width]), positions=bx.Input(["time"], "int32")
    )
    def main(f: bx.F, x: bx.Value, positions: bx.Value) -> bx.Value:
        table = f.rope_table(positions, b.width // 2)
        run = f.call("r", recipes.multi_head_attention)
        return run(x, cos=table.cos, sin=table.sin, heads=2, rope=layout)

    graph = b.graph()
    params = random_params(graph)
    model, x = bx.build(graph), x_of()
    at_0, _ = model(params, x, jnp.arange(5))
    at_7, _ = model(params, x, jnp.arange(5) + 7)
    mixed, _ = model(params, x, jnp.array([0, 3, 1, 4, 2]))
    np.testing.assert_allclose(at_0, at_7, rtol=1e-3, atol=1e-4)
    assert not np.allclose(at_0, mixed, atol=1e-2)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_mlp(activation: Any) -> None:
    graph = without_mask(recipes.mlp, hidden="$4 * width", activation=activation)
    params = random_params(graph)
    p = f64(params)["r"]
    assert p["up"]["kernel"].shape == (8, 32)
    act = ACTIVATIONS[activation]
    expected = linear(act(linear(x_of().astype(np.float64), p["up"])), p["down"])
    found, _ = bx.build(graph)(params, x_of())
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("activation", ["silu", "gelu"])
def test_gated_mlp(activation: Any) -> None:
    options = {"hidden": 12, "features": 3, "activation": activation}
    graph = without_mask(recipes.gated_mlp, **options)
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


@pytest.mark.parametrize("order", ["pre", "post"])
@pytest.mark.parametrize("norm", ["layer_norm", "rms_norm"])
def test_transformer_block(order: Any, norm: Any) -> None:
    graph = graph_of(
        recipes.transformer_block,
        heads="$heads",
        hidden=16,
        activation="relu",
        norm=norm,
        eps=1e-3,
        order=order,
    )
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


def test_a_block_of_llama_is_its_parts() -> None:
    """Gated, grouped, rotary: as the recipes that it is made of, called one by one."""
    own: dict[str, Any] = {"heads": 4, "use_bias": False}
    gated: dict[str, Any] = {"hidden": 12, "activation": "silu"}

    def parts(f: bx.F, x: bx.Value, cos: bx.Value, sin: bx.Value) -> bx.Value:
        run = f.call("attn", recipes.multi_head_attention)
        h = f.rms_norm("ln_1", x, eps=1e-5)
        x = x + run(h, cos=cos, sin=sin, kv_heads=2, rope="interleaved", **own)
        return x + f.call("mlp", recipes.gated_mlp)(
            f.rms_norm("ln_2", x, eps=1e-5), **gated
        )

    def graph(whole: bool) -> Graph:
        b = bx.GraphBuilder("model")

        @b.entry(x=bx.Input(["batch", "time", 8]))
        def main(f: bx.F, x: bx.Value) -> bx.Value:
            cos, sin = f.rope_table(f.arange(stop=x.shape[1]), 2)
            if not whole:
                return f.call("r", parts)(x, cos, sin)
            return f.call("r", recipes.transformer_block)(
                x, cos, sin, kv_heads=2, rope="interleaved", gated=True,
                norm="rms_norm", **own, **gated,
            )  # fmt: skip

        return b.graph()

    block, own_parts = graph(True), graph(False)
    params = random_params(block)
    assert params["r"]["attn"]["key"]["kernel"].shape == (8, 4)
    assert "bias" not in params["r"]["attn"]["key"]
    found, _ = bx.build(block)(params, x_of())
    wanted, _ = bx.build(own_parts)(params, x_of())
    np.testing.assert_array_equal(found, wanted)


def test_sizes_are_written_as_a_person_would() -> None:
    graph = graph_of(recipes.multi_head_attention, heads="$heads", kv_heads=2)
    nodes = graph.plain()["functions"]["multi_head_attention"]["nodes"]
    assert nodes["query"]["out_features"] == "$width"
    assert nodes["q"]["shape"] == ["...", "$heads", "$width // heads"]
    assert nodes["key"]["out_features"] == "$2 * (width // heads)"
    assert nodes["attended"]["heads_per_kv"] == "$heads // 2"
    assert nodes["out"]["in_features"] == "$width"
    wider = graph.replace_attributes(width=24)
    assert wider.program().leaves()["r.key.kernel"].shape == (24, 12)


def test_sizes_follow_the_attributes() -> None:
    def make(width: int = 8, heads: int = 4, hidden: int = 12) -> Graph:
        b = bx.GraphBuilder("model", width=width, heads=heads, hidden=hidden)

        @b.entry(x=bx.Input(["batch", "time", b.width]))
        def main(f: bx.F, x: bx.Value) -> bx.Value:
            cos, sin = f.rope_table(f.arange(stop=x.shape[1]), b.width // b.heads)
            return f.call("r", recipes.transformer_block)(
                x, cos, sin, heads=b.heads, kv_heads=2, hidden=b.hidden, gated=True
            )

        return b.graph()

    bx.check_attributes(make, width=24, heads=6, hidden=20)


def test_calls_that_differ_by_numbers_are_one_function() -> None:
    b = bx.GraphBuilder("model", width=8)

    @b.entry(x=bx.Input(["...", b.width]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        x = f.call("a", recipes.mlp)(x, hidden=4 * b.width)
        x = f.call("b", recipes.mlp)(x, hidden=5)
        return f.call("c", recipes.mlp)(x, hidden=5, activation="relu")

    graph = b.graph()
    functions = graph.plain()["functions"]
    assert list(functions) == ["main", "mlp_gelu", "mlp_relu"]
    assert functions["mlp_gelu"]["attributes"] == ["hidden"]
    nodes = functions["main"]["nodes"]
    assert nodes["a"]["attributes"] == {"hidden": "$4 * width"}
    assert nodes["b"]["attributes"] == {"hidden": 5}
    assert "attributes" not in nodes["c"]


def test_positions_of_two_sequences_are_refused() -> None:
    def wrong(f: bx.F, x: bx.Value) -> bx.Value:
        run = f.call("r", recipes.multi_head_attention)
        cos, sin = f.rope_table(f.arange(stop=5), 4)
        return run(x, x, cos, sin, heads=2)

    def half(f: bx.F, x: bx.Value) -> bx.Value:
        table = f.rope_table(f.arange(stop=5), 4)
        return f.call("r", recipes.multi_head_attention)(x, cos=table.cos, heads=2)

    for function in (wrong, half):
        with pytest.raises(bx.SpecError, match=r"r\.x: expected cos and sin together"):
            bx.GraphBuilder("model").entry(function, x=bx.Input(["batch", 5, 8]))
