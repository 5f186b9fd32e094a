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


def mlp(f: bx.FunctionBuilder, x: bx.Value) -> bx.Value:
    h = f.linear("up", x, out_features="$4 * width")
    h = f.gelu("act", h, approximate=True)
    return f.linear("down", h, out_features="$width")


def block(f: bx.FunctionBuilder, x: bx.Value) -> bx.Value:
    """A residual MLP."""
    return f.add("out", x, f.call("mlp", mlp, f.layer_norm("ln", x)))


def tiny_gpt() -> Graph:
    b = bx.GraphBuilder("tiny_gpt", vocab=16, width=8, depth=3)
    b.dim("seq", max=12)

    @b.entry(tokens=bx.Input(["batch", "seq"], "int32"))
    def main(f: bx.FunctionBuilder, tokens: bx.Value) -> dict[str, bx.Value]:
        x = f.embed("wte", tokens, num_embeddings="$vocab", features="$width")
        x = f.repeat("h", block, count="$depth", carry={"x": x})
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
                "out": {"op": "add", "a": "x", "b": "mlp"},
            },
            "outputs": {"x": "out"},
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
    graph = tiny_gpt().replace_attributes(width=6, depth=1)
    params = jax.eval_shape(lambda key: bx.init(graph, key), jax.random.key(0))
    assert params["h"]["mlp"]["up"]["kernel"].shape == (1, 6, 24)
    tokens = jnp.zeros((2, 5), jnp.int32)
    logits, _ = jax.eval_shape(bx.build(graph), params, tokens)
    assert logits.shape == (2, 5, 16)


class Step(NamedTuple):
    y: bx.Value
    cache: bx.Value


def test_entries_share_parameters_and_call_each_other() -> None:
    b = bx.GraphBuilder("stepper", width=4)
    b.constraint("cached >= seq")

    @b.entry(
        x=bx.Input(["batch", "seq", "$width"]),
        cache=bx.Input(["batch", "cached", "$width"]),
    )
    def step(f: bx.FunctionBuilder, x: bx.Value, cache: bx.Value) -> Step:
        y = f.linear("proj", x, out_features="$width")
        slots = f.arange("slots", stop="$cached")
        total = f.add("total", cache, f.sum("number", slots))
        return Step(y, total)

    @b.entry(x=bx.Input(["batch", "seq", "$width"]))
    def main(f: bx.FunctionBuilder, x: bx.Value) -> bx.Value:
        empty = f.zeros("empty", shape=["$batch", "$seq", "$width"], dtype="float")
        out = f.call("model", step, x, empty, params=".")
        assert isinstance(out, Step)
        return f.add("both", out.y, out.cache)

    graph = b.graph(entries=["main", "step"])
    assert graph.entries == ["main", "step"]
    assert list(graph.functions) == ["main", "step"]
    model = graph.plain()["functions"]["main"]["nodes"]["model"]
    assert model == {
        "op": "call",
        "function": "step",
        "inputs": {"x": "x", "cache": "empty"},
        "remat": None,
        "params": ".",
    }
    assert graph.plain()["functions"]["main"]["nodes"]["both"] == {
        "op": "add",
        "a": "model.y",
        "b": "model.cache",
    }
    params = bx.init(graph, jax.random.key(0))
    assert list(params) == ["proj"]
    x = jax.random.normal(jax.random.key(1), (2, 3, 4))
    expected = x @ params["proj"]["kernel"] + params["proj"]["bias"] + 3
    np.testing.assert_allclose(bx.build(graph)(params, x)[0], expected, rtol=1e-5)
    y = bx.build(graph, "step")(params, x, jnp.zeros((2, 5, 4)))[0]["y"]
    np.testing.assert_allclose(y + 3, expected, rtol=1e-5)


def project(
    f: bx.FunctionBuilder,
    x: bx.Value,
    *,
    width_in: str,
    features: str,
    scale: str = "1",
) -> bx.Value:
    y = f.linear("proj", x, in_features=width_in, out_features=features)
    return f.multiply("scaled", y, scale)


def test_function_attributes() -> None:
    b = bx.GraphBuilder("two_sizes", width=4)

    @b.entry(x=bx.Input(["batch", "$width"]))
    def main(f: bx.FunctionBuilder, x: bx.Value) -> bx.Value:
        x = f.call(
            "wide", project, x, width_in="$width", features="$2 * width", scale=2
        )
        assert x.features == "$2 * width"
        x = f.call("small", project, x, width_in=x.features, features=3, scale=0.5)
        assert x.features == 3
        return x

    graph = b.graph()
    assert graph.plain()["functions"]["project"] == {
        "attributes": ["width_in", "features", "scale"],
        "inputs": {"x": {}},
        "nodes": {
            "proj": linear("x", "$width_in", "$features"),
            "scaled": {"op": "multiply", "a": "proj", "b": "$scale"},
        },
        "outputs": {"out": "scaled"},
    }
    wide = graph.plain()["functions"]["main"]["nodes"]["wide"]
    given = {"width_in": "$width", "features": "$2 * width", "scale": 2}
    assert wide["attributes"] == given
    params = bx.init(graph, jax.random.key(0))
    x = jnp.ones((2, 4))
    y = 2 * (x @ params["wide"]["proj"]["kernel"])
    y = 0.5 * (y @ params["small"]["proj"]["kernel"])
    np.testing.assert_allclose(bx.build(graph)(params, x)[0], y, rtol=1e-5)


def test_optional_inputs_and_keys_reach_blocks() -> None:
    def attend(
        f: bx.FunctionBuilder,
        x: bx.Value,
        mask: bx.Value | None = None,
        key: bx.Value | None = None,
    ) -> bx.Value:
        heads = f.reshape("heads", x, shape=["...", 2, "$width // 2"])
        y = f.dot_product_attention("attn", heads, heads, heads, mask)
        return f.dropout("drop", f.flatten("flat", y, start=-2), key, rate=0.5)

    b = bx.GraphBuilder("optional", width=4)

    @b.entry(
        x=bx.Input(["batch", "seq", "$width"]),
        mask=bx.Input(["batch", 1, 1, "seq"], "bool", optional=True),
    )
    def main(f: bx.FunctionBuilder, x: bx.Value, mask: bx.Value) -> bx.Value:
        x = f.call("plain", attend, x)
        return f.call("masked", attend, x, mask, key=f.rng("rng"))

    graph = b.graph()
    data = graph.plain()["functions"]
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

    @b.entry(x=bx.Input(["...", "$width"]))
    def main(f: bx.FunctionBuilder, x: bx.Value) -> bx.Value:
        raw = f.param("raw", shape=["$width", 4], init={"value": {"name": "ones"}})
        y = f.linear("y", x, kernel=f.multiply("half", raw, 0.5), out_features=4)
        left, right = f.split("parts", y, names=["left", "right"], axis=-1)
        assert left.features == 2
        z = f.linear(
            "z", f.concatenate("joined", [right, left], axis=-1), out_features=2,
            init={"kernel": {"name": "normal", "stddev": 0.5}},
            axes={"kernel": [None, "mlp"]}, frozen=["bias"], use_bias=True,
        )  # fmt: skip
        return z

    nodes = b.graph().plain()["functions"]["main"]["nodes"]
    # A kernel that is given needs no size.
    assert nodes["y"] == {
        "op": "linear", "x": "x", "kernel": "half", "out_features": 4, "use_bias": True,
    }  # fmt: skip
    assert nodes["joined"]["xs"] == ["parts.right", "parts.left"]
    assert nodes["z"] == linear(
        "joined",
        4,
        2,
        init={"kernel": {"name": "normal", "stddev": 0.5}},
        axes={"kernel": [None, "mlp"]},
        frozen=["bias"],
    )


def test_entry_is_usable_without_a_decorator() -> None:
    def main(f: bx.FunctionBuilder, x: bx.Value) -> bx.Value:
        return f.relu("y", x)

    b = bx.GraphBuilder("plain")
    assert b.entry(main, x=bx.Input([3])) is main
    np.testing.assert_array_equal(
        bx.build(b.graph())({}, jnp.array([-1.0, 0.0, 2.0]))[0], [0, 0, 2]
    )


@pytest.mark.parametrize("name", ["up", "out"])
def test_values_say_what_they_are(name: str) -> None:
    b = bx.GraphBuilder("m", width=4)

    @b.entry(x=bx.Input(["batch", "$width"]))
    def main(f: bx.FunctionBuilder, x: bx.Value) -> bx.Value:
        y = f.linear(name, x, out_features="$2 * width")
        assert repr(y) == f"Value(main.{name}: float32[batch, 8])"
        assert y.features == "$2 * width"
        assert y.dtype == np.float32
        return y
