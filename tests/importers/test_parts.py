"""Parts of a model: what one function or module computes is a Graph of its own."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import blox as bx

RNG = np.random.default_rng(0)
TOKENS = {"tokens": bx.Input(["batch", "seq"], "int32")}


def block(weights: Any, x: Any, scale: float = 1.0) -> Any:
    return x + jnp.tanh(x @ weights["up"]) * scale @ weights["down"]


def encode(params: Any, tokens: Any) -> Any:
    x = params["table"][tokens]
    for weights in params["blocks"]:
        x = block(weights, x)
    return x


def pool(x: Any) -> Any:
    return jnp.sum(x.reshape(-1, x.shape[-1]) * 2, axis=0)


def model(params: Any, tokens: Any) -> Any:
    x = encode(params, tokens)
    return pool(jax.pure_callback(np.abs, x, x))


def params() -> dict[str, Any]:
    def normal(*shape: int) -> Any:
        return RNG.normal(size=shape).astype("float32")

    blocks = [{"up": normal(4, 6), "down": normal(6, 4)} for _ in range(3)]
    return {"table": normal(9, 4), "blocks": blocks, "unused": normal(2)}


def part(name: str, **options: Any) -> tuple[bx.Graph, Any, Any, Any]:
    tree = params()
    graph, arrays, origin = bx.from_jax(model, TOKENS, tree, partial=name, **options)
    return graph, arrays, origin, tree


def inputs_of(graph: bx.Graph) -> dict[str, list[Any]]:
    return {n: list(i.shape or ()) for n, i in graph.functions["main"].inputs.items()}


def test_a_function_is_imported_though_others_can_not_be() -> None:
    with pytest.raises(bx.SpecError, match="partial= imports"):
        bx.from_jax(model, TOKENS, params())
    graph, arrays, origin, tree = part("encode")
    assert (graph.name, inputs_of(graph)) == ("encode", {"tokens": ["batch", "seq"]})
    ids = RNG.integers(0, 9, (2, 5)).astype("int32")
    found, _ = bx.build(graph)(arrays, ids)
    np.testing.assert_allclose(found, encode(tree, ids), rtol=1e-5, atol=1e-6)
    assert origin.report.greatest < 1e-5
    assert [row.name for row in origin.report.rows] == ["out", "gradient", "out"]


@pytest.mark.parametrize(("name", "place"), [("block", 0), ("blocks.1", 1)])
def test_a_call_has_its_own_arrays_and_what_it_is_called_with(
    name: str, place: int
) -> None:
    graph, arrays, origin, tree = part(name, check=False)
    assert inputs_of(graph) == {"x": ["batch", "seq", 4]}
    assert sorted(arrays) == ["down", "up"]
    np.testing.assert_array_equal(arrays["up"], tree["blocks"][place]["up"])
    x = RNG.normal(size=(2, 5, 4)).astype("float32")
    found, _ = bx.build(graph)(arrays, x)
    np.testing.assert_allclose(found, block(tree["blocks"][place], x), rtol=1e-5)
    doubled = origin.export(jax.tree.map(lambda a: a * 2, arrays), like=tree)
    np.testing.assert_array_equal(
        doubled["blocks"][place]["up"], tree["blocks"][place]["up"] * 2
    )
    np.testing.assert_array_equal(doubled["table"], tree["table"])


def test_modules_below_a_path_are_one_part() -> None:
    graph, arrays, _, tree = part("blocks", check=False)
    assert [n.op for n in graph.functions["main"].nodes.values()] == ["repeat"]
    x = RNG.normal(size=(2, 5, 4)).astype("float32")
    wanted = x
    for weights in tree["blocks"]:
        wanted = block(weights, wanted)
    found, _ = bx.build(graph)(arrays, x)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


def test_a_size_that_is_calculated_is_a_dim_of_the_part() -> None:
    def total(x: Any) -> Any:
        return jnp.sum(x * 2, axis=0)

    def flat(x: Any) -> Any:
        return total(x.reshape(-1, 4)) + 1

    inputs = {"x": bx.Input(["batch", "seq", 4])}
    graph, _, origin = bx.from_jax(flat, inputs, partial="total")
    assert inputs_of(graph) == {"x": ["x_0", 4]}
    assert {row.sizes["x_0"] for row in origin.report.rows} == {6, 24}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("blok", "did you mean block?"),
        ("zz", "it has encode, block, pool, blocks.0, blocks.1, blocks.2"),
    ],
)
def test_an_unknown_name_lists_what_there_is(name: str, said: str) -> None:
    with pytest.raises(bx.SpecError, match="expected a function or the path") as caught:
        part(name)
    (found,) = caught.value.diagnostics
    assert (found.code, found.hint) == ("import-part", said)


def test_a_function_in_a_loop_alone_is_refused() -> None:
    def looped(weights: Any, x: Any) -> Any:
        return jax.lax.scan(lambda c, _: (block(weights, c), None), x, None, length=3)[
            0
        ]

    with pytest.raises(bx.SpecError, match="called in a loop or branch"):
        bx.from_jax(
            looped,
            {"x": bx.Input(["batch", 4])},
            params()["blocks"][0],
            partial="block",
        )
