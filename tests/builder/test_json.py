"""The builder writes the JSON that a person would type."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import blox as bx
from blox.schema import Graph, from_bytes, to_json


def linear(x: str, width_in: Any, width_out: Any, **more: Any) -> dict[str, Any]:
    return {
        "op": "linear", "x": x, "in_features": width_in, "out_features": width_out,
        "use_bias": True, **more,
    }  # fmt: skip


def norm(x: str) -> dict[str, Any]:
    return {
        "op": "layer_norm", "x": x, "features": "$width", "eps": 1e-05,
        "use_scale": True, "use_bias": True,
    }  # fmt: skip


def mlp(f: bx.F, x: bx.Value) -> bx.Value:
    h = f.gelu(f.linear("up", x, 4 * x.features), approximate=True, name="act")
    return f.linear("down", h, x.features)


def block(f: bx.F, x: bx.Value) -> bx.Value:
    """A residual MLP."""
    return x + f.call("mlp", mlp)(f.layer_norm("ln", x))


def tiny_gpt(vocab: int = 16, width: int = 8, depth: int = 3) -> Graph:
    b = bx.GraphBuilder("tiny_gpt", vocab=vocab, width=width, depth=depth)
    b.dim("seq", max=12)

    @b.entry(tokens=bx.Input(["batch", "seq"], "int32"))
    def main(f: bx.F, tokens: bx.Value) -> dict[str, bx.Value]:
        x = f.embed("wte", tokens, b.vocab, b.width)
        x = f.repeat("h", block, count=b.depth)(x)
        return {"logits": f.unembed("head", f.layer_norm("ln_f", x), params="wte")}

    return b.graph(license="MIT")


TINY_GPT = {
    "format": "blox/1",
    "name": "tiny_gpt",
    "attributes": {"vocab": 16, "width": 8, "depth": 3},
    "dims": {"seq": {"max": 12}},
    "functions": {
        "main": {
            "inputs": {"tokens": {"shape": ["batch", "seq"], "dtype": "int32"}},
            "nodes": {
                "wte": {
                    "op": "embed",
                    "ids": "tokens",
                    "num_embeddings": "$vocab",
                    "features": "$width",
                },
                "h": {
                    "op": "repeat",
                    "function": "block",
                    "count": "$depth",
                    "carry": {"x": "wte"},
                },
                "ln_f": norm("h"),
                "head": {"op": "unembed", "x": "ln_f", "params": "wte"},
            },
            "outputs": {"logits": "head"},
        },
        "block": {
            "doc": "A residual MLP.",
            "inputs": {"x": {}},
            "nodes": {
                "ln": norm("x"),
                "mlp": {"op": "call", "function": "mlp", "inputs": {"x": "ln"}},
                "add_1": {"op": "add", "a": "x", "b": "mlp"},
            },
            "outputs": {"x": "add_1"},
        },
        "mlp": {
            "inputs": {"x": {}},
            "nodes": {
                "up": linear("x", "$width", "$4 * width"),
                "act": {"op": "gelu", "x": "up", "approximate": True},
                "down": linear("act", "$4 * width", "$width"),
            },
            "outputs": {"out": "down"},
        },
    },
    "metadata": {"license": "MIT"},
}


def test_it_is_what_a_person_would_type() -> None:
    assert to_json(tiny_gpt()) == to_json(Graph.parse(TINY_GPT))


def test_it_reads_back_and_runs() -> None:
    graph = from_bytes(to_json(tiny_gpt()).encode())
    params = jax.jit(lambda key: bx.init(graph, key))(jax.random.key(0))
    assert params["h"]["mlp"]["up"]["kernel"].shape == (3, 8, 32)
    logits, state = jax.jit(bx.build(graph))(params, jnp.zeros((2, 5), jnp.int32))
    assert logits.shape == (2, 5, 16)
    assert state == {}


def test_attributes_stay_attributes() -> None:
    bx.check_attributes(tiny_gpt, width=6, depth=1)
    graph = tiny_gpt().replace_attributes(width=6, depth=1)
    params = jax.eval_shape(lambda key: bx.init(graph, key), jax.random.key(0))
    assert params["h"]["mlp"]["up"]["kernel"].shape == (1, 6, 24)


class Step(NamedTuple):
    y: bx.Value
    cache: bx.Value


def test_entries_share_parameters_and_call_each_other() -> None:
    b = bx.GraphBuilder("stepper", width=4)
    b.constraint("cached >= seq")

    @b.entry(
        x=bx.Input(["batch", "seq", b.width]),
        cache=bx.Input(["batch", "cached", b.width]),
        start=bx.Input([], "int32"),
    )
    def step(f: bx.F, x: bx.Value, cache: bx.Value, start: bx.Value) -> Step:
        y = f.linear("proj", x, b.width)
        return Step(y, cache + f.arange(cache.shape[1]).sum() + start)

    @b.entry(x=bx.Input(["batch", "seq", b.width]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        zero: Any = 0
        out = f.call("model", step, params=".")(x, f.zeros(x.shape), zero)
        assert isinstance(out, Step)
        return out.y + out.cache

    graph = b.graph(entries=["main", "step"])
    assert graph.entries == ["main", "step"]
    assert list(graph.functions) == ["main", "step"]
    nodes = graph.plain()["functions"]["main"]["nodes"]
    assert nodes["zeros_1"]["shape"] == ["$batch", "$seq", "$width"]
    assert nodes["model"] == {
        "op": "call",
        "function": "step",
        "inputs": {"x": "x", "cache": "zeros_1", "start": 0},
        "remat": None,
        "params": ".",
    }
    assert nodes["add_1"] == {"op": "add", "a": "model.y", "b": "model.cache"}
    params = bx.init(graph, jax.random.key(0))
    assert list(params) == ["proj"]
    x = jax.random.normal(jax.random.key(1), (2, 3, 4))
    expected = x @ params["proj"]["kernel"] + params["proj"]["bias"] + 3
    np.testing.assert_allclose(bx.build(graph)(params, x)[0], expected, rtol=1e-5)
    step_out = bx.build(graph, "step")(params, x, jnp.zeros((2, 5, 4)), jnp.int32(2))[0]
    np.testing.assert_allclose(step_out["y"] + 3, expected, rtol=1e-5)
    np.testing.assert_array_equal(step_out["cache"], np.full((2, 5, 4), 12.0))


def test_optional_inputs_and_keys_reach_blocks() -> None:
    def attend(
        f: bx.F,
        x: bx.Value,
        mask: bx.Value | None = None,
        key: bx.Value | None = None,
    ) -> bx.Value:
        heads = x.reshape(..., 2, x.features // 2)
        y = f.dot_product_attention(heads, heads, heads, mask)
        return f.dropout("drop", f.flatten(y, -2), 0.5, key=key)

    b = bx.GraphBuilder("optional", width=4)

    @b.entry(
        x=bx.Input(["batch", "seq", b.width]),
        mask=bx.Input(["batch", 1, 1, "seq"], "bool", optional=True),
    )
    def main(f: bx.F, x: bx.Value, mask: bx.Value) -> bx.Value:
        x = f.call("plain", attend)(x)
        return f.call("masked", attend)(x, mask, key=f.rng("rng"))

    graph = b.graph()
    data = graph.plain()["functions"]
    assert list(data) == ["main", "attend"]
    assert data["attend"]["inputs"] == {
        "x": {},
        "mask": {"optional": True},
        "key": {"dtype": "key", "optional": True},
    }
    assert data["main"]["nodes"]["plain"]["inputs"] == {"x": "x"}
    assert data["main"]["nodes"]["masked"]["inputs"] == {
        "x": "plain",
        "mask": "mask",
        "key": "rng",
    }
    params = bx.init(graph, jax.random.key(0))
    x = jnp.ones((1, 3, 4))
    mask = jnp.array([True, False, True])[None, None, None]
    assert bx.build(graph)(params, x)[0].shape == (1, 3, 4)
    trained, state = bx.build(graph, train=True)(params, x, mask)
    assert set(np.unique(np.asarray(trained))) == {0, 2}
    assert int(state["rng"]["count"]) == 1


def test_slots_parameter_options_and_several_outputs() -> None:
    b = bx.GraphBuilder("details", width=6)

    @b.entry(x=bx.Input(["...", b.width]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        raw = f.param("raw", [b.width, 4], init={"value": {"name": "ones"}})
        y = f.linear("y", x, 4, kernel=0.5 * raw)
        left, right = f.split(y, 2, axis=-1, names=["left", "right"], name="parts")
        assert left.features == 2
        return f.linear(
            "z", f.concatenate([right, left], axis=-1), 2,
            init={"kernel": {"name": "normal", "stddev": 0.5}},
            axes={"kernel": [None, "mlp"]}, frozen=["bias"],
        )  # fmt: skip

    nodes = b.graph().plain()["functions"]["main"]["nodes"]
    # A kernel that is given needs no size.
    assert nodes["y"] == {
        "op": "linear", "x": "x", "kernel": "multiply_1", "out_features": 4,
        "use_bias": True,
    }  # fmt: skip
    assert nodes["multiply_1"] == {"op": "multiply", "a": 0.5, "b": "raw"}
    assert nodes["concatenate_1"]["xs"] == ["parts.right", "parts.left"]
    assert nodes["z"] == linear(
        "concatenate_1",
        4,
        2,
        init={"kernel": {"name": "normal", "stddev": 0.5}},
        axes={"kernel": [None, "mlp"]},
        frozen=["bias"],
    )


def test_parts_of_a_split_have_names_by_number() -> None:
    b = bx.GraphBuilder("parts")

    @b.entry(x=bx.Input(["batch", 6]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        a, _, c = f.split(x, [1, 2, 3], axis=-1)
        return a + c

    nodes = b.graph().plain()["functions"]["main"]["nodes"]
    assert nodes["split_1"]["names"] == ["part_0", "part_1", "part_2"]
    assert nodes["add_1"] == {"op": "add", "a": "split_1.part_0", "b": "split_1.part_2"}


def test_entry_is_usable_without_a_decorator() -> None:
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return f.relu(x)

    b = bx.GraphBuilder("plain")
    assert b.entry(main, x=bx.Input([3])) is main
    np.testing.assert_array_equal(
        bx.build(b.graph())({}, jnp.array([-1.0, 0.0, 2.0]))[0], [0, 0, 2]
    )


def test_unnamed_nodes_that_nothing_uses_are_left_out() -> None:
    b = bx.GraphBuilder("m")

    @b.entry(x=bx.Input(["batch", 4]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        f.relu(f.tanh(x))
        f.linear("kept", x, 2)
        return f.relu(x)

    # Counted as they were written, so that no name depends on what is left out.
    assert list(b.graph().functions["main"].nodes) == ["kept", "relu_2"]


def test_a_name_that_is_taken_is_skipped() -> None:
    b = bx.GraphBuilder("m")

    @b.entry(x=bx.Input(["batch", 4]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        y = f.relu(x, name="add_1")
        return y + x + x

    nodes = b.graph().functions["main"].nodes
    assert list(nodes) == ["add_1", "add_2", "add_3"]


@pytest.mark.parametrize("name", ["up", "out"])
def test_values_say_what_they_are(name: str) -> None:
    b = bx.GraphBuilder("m", width=4)

    @b.entry(x=bx.Input(["batch", b.width]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        y = f.linear(name, x, 2 * b.width)
        assert repr(y) == f"Value(main.{name}: float32[batch, 8])"
        assert y.features == 8
        assert y.dtype == np.float32
        return y
