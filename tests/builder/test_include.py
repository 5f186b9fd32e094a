"""Another Graph in one that is written: the same program, called like one's own."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest
from builder.including import (
    BOUNDED,
    TOKENS,
    around,
    lambda_named,
    shapes_of,
    two_of_a_name,
)
from golden_models import NAMES, few, graph_of
from jaxprs import assert_same_jaxpr
from random_programs import program
from sample_specs import function, spec

import blox as bx
from blox.schema import Graph

ENTRIES = few((name, entry) for name in NAMES for entry in graph_of(name).entries)


def traced(graph: Graph, entry: str, arrays: dict[str, Any]) -> Any:
    params = shapes_of(graph)

    def run(params: Any, arrays: dict[str, Any]) -> Any:
        outputs, state = bx.build(graph, entry)(params, **arrays)
        return jax.tree.leaves(outputs), state

    return jax.make_jaxpr(run)(params, arrays)


def arrays_of(graph: Graph, entry: str) -> dict[str, Any]:
    """Inputs of an entry, each dim of a size that fits."""
    instance = graph.program().entries[entry]
    sizes: dict[str, Any] = dict(graph.attributes)
    found: dict[str, Any] = {}
    for name, given in instance.function.inputs.items():
        shape = []
        for size in given.shape or []:
            if isinstance(size, str) and size.startswith("$"):
                size = eval(size[1:], {}, sizes)
            shape.append(size if isinstance(size, int) else sizes.setdefault(size, 8))
        if given.dtype == "key":
            found[name] = jax.random.key(0)
        else:
            dtype = "float32" if given.dtype == "float" else given.dtype
            found[name] = jnp.zeros(shape, dtype)
        if name in instance.input_copies:
            found[name] = [found[name]] * instance.input_copies[name]
    return found


@pytest.mark.parametrize(("name", "entry"), ENTRIES)
def test_it_is_the_same_program(name: str, entry: str) -> None:
    graph = graph_of(name)
    outer = around(graph, entry)
    reached = set(graph.program().entries[entry].tree)
    assert set(outer.program().tree) == reached
    own = graph.program().leaves()
    for path, leaf in outer.program().leaves().items():
        assert leaf == own[path]
    arrays = arrays_of(graph, entry)
    a, b = traced(graph, entry, arrays), traced(outer, "main", arrays)
    assert len(a.jaxpr.invars) == len(b.jaxpr.invars)
    assert_same_jaxpr(a, b)


def names_restored(outer: Graph) -> dict[str, Any]:
    found = outer.plain()["functions"]
    text = repr({n: f for n, f in found.items() if n != "main"})
    functions: dict[str, Any] = eval(text.replace("inner_", ""))
    return functions


@pytest.mark.parametrize("seed", [*range(6)])
def test_what_the_builder_wrote_is_written_again(seed: int) -> None:
    graph = program(seed)()
    written = names_restored(around(graph, "main"))
    assert written == {
        n: f for n, f in graph.plain()["functions"].items() if n in written
    }


def test_a_written_model_is_written_again() -> None:
    graph = graph_of("tiny_gpt")
    outer = around(graph, "step")
    assert names_restored(outer) == {
        n: f for n, f in graph.plain()["functions"].items() if n != "main"
    }
    assert outer.plain()["dims"] == {
        "seq": {"max": "$inner_context"},
        "cached": {"max": "$inner_context"},
    }
    assert outer.constraints == ["cached >= seq"]


def test_functions_run_in_loops_and_branches_like_ones_own() -> None:
    model, _ = two_of_a_name()
    b = bx.GraphBuilder("outer", n=3)
    base = b.include(model)

    @b.entry(x=bx.Input(["batch", 8]), which=bx.Input([], "int32"))
    def main(f: bx.F, x: bx.Value, which: bx.Value) -> bx.Value:
        x = f.repeat("deep", base.layer, count=b.n)(x)
        x = f.switch("pick", which, [base.layer, base["layer"]])(x)
        return f.map("each", base.layer, count=4)(bx.slices(f.stack([x] * 4)))

    graph = b.graph()
    leaves = {path: leaf.full_shape for path, leaf in graph.program().leaves().items()}
    assert leaves["deep.up.kernel"] == (3, 8, 8)
    assert leaves["pick.branch_1.up.kernel"] == (8, 8)
    assert leaves["each.up.kernel"] == (4, 8, 8)
    params = bx.init(graph, jax.random.key(0))
    x = jnp.ones((2, 8))
    found, _ = bx.build(graph)(params, x, 1)

    def layer(p: Any, x: jax.Array) -> jax.Array:
        made: jax.Array = x + x @ p["up"]["kernel"] + p["up"]["bias"]
        return made

    for i in range(3):
        x = layer(jax.tree.map(lambda a, i=i: a[i], params["deep"]), x)
    x = layer(params["pick"]["branch_1"], x)
    wanted = jax.vmap(layer, (0, None))(params["each"], x)
    assert jnp.allclose(found, wanted, atol=1e-5)


def test_several_outputs_have_names() -> None:
    b = bx.GraphBuilder("outer")
    base = b.include(graph_of("minilm"))

    @b.entry(ids=TOKENS)
    def main(f: bx.F, ids: bx.Value) -> list[bx.Value]:
        out = f.call("encoder", base.main)(ids)
        last, pooled = out
        assert out.last_hidden_state is last is out["last_hidden_state"] is out[0]
        assert repr(pooled) == (
            "Value(main.encoder.pooler_output: float32[batch, 384])"
        )
        with pytest.raises(AttributeError, match="last_hidden_state, pooler_output"):
            _ = out.hidden
        return [last, pooled]


def test_nodes_are_written_around() -> None:
    graph = graph_of("minilm").replace_attributes(vocab=9, width=8, heads=2, hidden=8)

    def lora(f: bx.F, node: bx.Node) -> bx.Value:
        low = f.linear(f"{node.name}_down", node.x, 2, use_bias=False)
        zero = {"kernel": {"name": "zeros"}}
        size = node.out_features
        high = f.linear(f"{node.name}_up", low, size, use_bias=False, init=zero)
        made: bx.Value = node() + high
        return made

    def double(f: bx.F, node: bx.Node) -> bx.Value:
        made: bx.Value = node(x=2 * node.x)
        return made

    b = bx.GraphBuilder("outer")
    base = b.include(graph, around={"attention.query": lora, "*.pooler": double})

    @b.entry(ids=TOKENS)
    def main(f: bx.F, ids: bx.Value) -> list[bx.Value]:
        return [*f.call("m", base.main, params=".")(ids)]

    outer = b.graph()
    own, leaves = graph.program().leaves(), outer.program().leaves()
    added = {p: leaf.full_shape for p, leaf in leaves.items() if p not in own}
    assert added == {
        "encoder.attention.query_down.kernel": (6, 8, 2),
        "encoder.attention.query_up.kernel": (6, 2, 8),
    }
    assert leaves.keys() >= own.keys()
    nodes = outer.plain()["functions"]["minilm_attention"]["nodes"]
    assert nodes["query_up"]["out_features"] == "$minilm_width"
    weights = bx.init(graph, jax.random.key(0))
    params = bx.merge(bx.init(outer, jax.random.key(1)), weights)
    ids = jnp.arange(8).reshape(2, 4)
    outputs, _ = bx.build(outer)(params, ids)
    hidden, pooled = outputs.values()
    wanted, _ = bx.build(graph)(weights, ids)
    assert jnp.allclose(hidden, wanted["last_hidden_state"], atol=1e-6)
    kernel, bias = weights["pooler"]["kernel"], weights["pooler"]["bias"]
    assert jnp.allclose(pooled, jnp.tanh(2 * hidden[:, 0] @ kernel + bias), atol=1e-5)


def test_an_op_with_a_body_stays_one() -> None:
    model = {
        **spec({"r": {"op": "acme:cap", "x": "x", "cap": 2.0}}),
        "ops": {"acme:cap": "cap_of"},
    }
    model["functions"]["cap_of"] = function(
        {"d": {"op": "divide", "a": "x", "b": "$cap"}, "t": {"op": "tanh", "x": "d"},
         "m": {"op": "multiply", "a": "t", "b": "$cap"}},
        "m", attributes=["cap"],
    )  # fmt: skip
    outer = around(Graph.parse(model), "main")
    assert outer.plain()["ops"] == {"acme:cap": "inner_cap_of"}
    assert outer.plain()["functions"]["inner_main"]["nodes"] == {
        "r": {"op": "acme:cap", "x": "x", "cap": 2.0}
    }
    x = jnp.arange(8.0).reshape(1, 8)
    assert jnp.allclose(bx.build(outer)({}, x)[0], 2 * jnp.tanh(x / 2))


def test_nodes_of_several_outputs_are_written_around() -> None:
    inner = spec(
        {"s": {"op": "split", "x": "x", "sections": 2, "axis": -1, "names": ["a", "b"]},
         "y": {"op": "subtract", "a": "s.a", "b": "s.b"}},
        "y",
    )  # fmt: skip

    def swap(f: bx.F, node: bx.Node) -> dict[str, bx.Value]:
        a, b = node()
        return {"a": b, "b": a}

    b = bx.GraphBuilder("outer")
    base = b.include(Graph.parse(inner), name="inner", around={"main.s": swap})
    b.entry(lambda_named(lambda f, x: f.call("c", base.main)(x)), x=bx.Input(["n", 8]))
    x = jnp.arange(8.0)[None]
    assert jnp.array_equal(bx.build(b.graph())({}, x)[0], 4 * jnp.ones((1, 4)))


@pytest.mark.parametrize("given", [None, 3, {"b": 1}, {}])
def test_what_stands_in_place_of_a_node_gives_what_it_does(given: Any) -> None:
    def wrong(f: bx.F, node: bx.Node) -> Any:
        return given

    b = bx.GraphBuilder("outer")
    base = b.include(two_of_a_name()[0], around={"layer.up": wrong})
    found = type(given).__name__
    with pytest.raises(bx.SpecError, match=rf"main.enc.h.up: expected wrong .*{found}"):
        b.entry(
            lambda_named(lambda f, x: f.call("enc", base.main)(x)),
            x=bx.Input(["batch", "seq", 8]),
        )


def test_long_names_and_reserved_ones_are_told_apart() -> None:
    names = [f"{'a' * 62}{i}" for i in range(3)] + ["dim"]
    graph = Graph.parse(
        spec({"r": {"op": "relu", "x": "x"}}, attributes=dict.fromkeys(names, 1))
    )
    b = bx.GraphBuilder("outer")
    base = b.include(graph, name="max")
    b.entry(lambda_named(lambda f, x: f.call("c", base.main)(x)), x=bx.Input(["n", 8]))
    own = list(b.graph().attributes)
    assert len(set(own)) == 4
    assert own[-1] == "max_dim_2"


def test_a_fraction_of_a_dim_is_constrained() -> None:
    b = bx.GraphBuilder("outer")
    inner = {**BOUNDED, "dims": {}, "constraints": ["n / 2 <= 4"]}
    base = b.include(Graph.parse(inner), name="inner")
    b.entry(
        lambda_named(lambda f, x: f.call("c", base.main)(x)), x=bx.Input(["m", "k"])
    )
    assert b.graph().constraints == ["k / 2 <= 4"]
