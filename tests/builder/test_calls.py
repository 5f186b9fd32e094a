"""Calls mean what Python would have done; those of equal structure share a function."""

from __future__ import annotations

import itertools
import json
import os
import random
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from builder.calls import X, functions, graph_of, layer
from jaxprs import assert_same_jaxpr
from random_programs import program

import blox as bx
from blox.builder import groups
from blox.builder.alike import key_of
from blox.schema import Graph

SPECS: list[dict[str, Any]] = [
    {"features": 8},
    {"features": 16, "act": "tanh"},
    {"features": 8, "pool": True},
    {"features": 24, "pool": True, "act": "tanh"},
    {"features": 8, "act": "tanh"},
]


def in_order(order: tuple[int, ...]) -> Graph:
    def main(f: bx.F, x: bx.Value) -> dict[str, bx.Value]:
        return {f"o{i}": f.call(f"c{i}", layer)(x, **SPECS[i]) for i in order}

    return graph_of(main)


def test_functions_and_names_do_not_depend_on_the_order_of_calls() -> None:
    orders = list(itertools.permutations(range(5)))
    texts = set()
    for order in random.Random(0).sample(orders, 12):
        own = functions(in_order(order))
        del own["main"]
        texts.add(json.dumps(dict(sorted(own.items()))))
    assert len(texts) == 1
    assert sorted(json.loads(texts.pop())) == [
        "layer_relu",
        "layer_relu_pool",
        "layer_tanh",
        "layer_tanh_pool",
    ]


@pytest.mark.slow
def test_all_120_orders() -> None:
    texts = set()
    for order in itertools.permutations(range(5)):
        own = functions(in_order(order))
        del own["main"]
        texts.add(json.dumps(dict(sorted(own.items()))))
    assert len(texts) == 1


def test_functions_stand_in_the_order_of_their_first_use() -> None:
    assert list(functions(in_order((4, 0, 1, 2, 3)))) == [
        "main",
        "layer_tanh",
        "layer_relu",
        "layer_relu_pool",
        "layer_tanh_pool",
    ]


def test_two_functions_of_one_name() -> None:
    def make(n: int) -> Any:
        def project(f: bx.F, x: bx.Value) -> bx.Value:
            return f.linear("l", x, n)

        return project

    def other(f: bx.F, x: bx.Value) -> bx.Value:
        return f.linear("l", f.relu(x), 4)

    other.__name__ = "project"

    def main(f: bx.F, x: bx.Value) -> dict[str, bx.Value]:
        found = {n: f.call(f"c{n}", make(n))(x) for n in (4, 6)}
        return {"a": found[4], "b": found[6], "c": f.call("d", other)(x)}

    own = functions(graph_of(main))
    assert own["project"]["attributes"] == ["out_features"]
    assert "relu_1" in own["project_relu"]["nodes"]


def test_recursion_with_an_end_is_unrolled() -> None:
    def tree(f: bx.F, x: bx.Value, *, depth: int) -> bx.Value:
        x = f.linear("l", x, 8)
        return f.call("deeper", tree)(x, depth=depth - 1) if depth > 0 else x

    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return f.call("t", tree)(x, depth=2)

    graph = graph_of(main)
    assert list(graph.functions) == [
        "main",
        "tree_depth2",
        "tree_depth1",
        "tree_depth0",
    ]
    leaves = [path for path in graph.program().leaves() if path.endswith("kernel")]
    assert leaves == ["t.l.kernel", "t.deeper.l.kernel", "t.deeper.deeper.l.kernel"]


def test_inputs_given_or_not_share_a_function() -> None:
    def attend(f: bx.F, x: bx.Value, mask: bx.Value | None = None) -> bx.Value:
        heads = x.reshape(x.shape[0], 1, 2, 4)
        return f.flatten(f.dot_product_attention(heads, heads, heads, mask), 1)

    def main(f: bx.F, x: bx.Value, m: bx.Value) -> dict[str, bx.Value]:
        return {"a": f.call("a", attend)(x), "b": f.call("b", attend)(x, m)}

    own = functions(graph_of(main, x=X, m=bx.Input([1, 1, 1, 1], "bool")))
    assert list(own) == ["main", "attend"]
    assert own["attend"]["inputs"]["mask"] == {"optional": True}


def test_optional_inputs_that_reach_other_operands_are_two_functions() -> None:
    def attend(
        f: bx.F, x: bx.Value, m: bx.Value | None = None, n: bx.Value | None = None,
        *, second: bool = False,
    ) -> bx.Value:  # fmt: skip
        heads = x.reshape(x.shape[0], 1, 2, 4)
        mask = n if second else m
        return f.flatten(f.dot_product_attention(heads, heads, heads, mask), 1)

    def main(f: bx.F, x: bx.Value, m: bx.Value) -> dict[str, bx.Value]:
        a = f.call("a", attend)(x, m, m)
        return {"a": a, "b": f.call("b", attend)(x, m, m, second=True)}

    own = functions(graph_of(main, x=X, m=bx.Input([1, 1, 1, 1], "bool")))
    masks = [
        node["mask"]
        for function in own.values()
        for node in function["nodes"].values()
        if node["op"] == "dot_product_attention"
    ]
    assert sorted(masks) == ["m", "n"]


def test_values_in_lists_are_inputs() -> None:
    def summed(f: bx.F, xs: list[bx.Value], more: dict[str, bx.Value]) -> bx.Value:
        return f.concatenate([*xs, more["z"]], axis=-1)

    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return f.call("c", summed)([x, f.relu(x)], {"z": x})

    graph = graph_of(main)
    inputs = functions(graph)["main"]["nodes"]["c"]["inputs"]
    assert inputs == {"xs_0": "x", "xs_1": "relu_1", "more_z": "x"}
    found, _ = bx.build(graph)({}, -jnp.ones((1, 8)))
    np.testing.assert_array_equal(found, [[-1] * 8 + [0] * 8 + [-1] * 8])


def test_a_function_that_is_called_as_the_model_is() -> None:
    def m(f: bx.F, x: bx.Value) -> bx.Value:
        return f.linear("l", x, 3)

    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return f.call("a", m)(x)

    graph = graph_of(main)
    assert (graph.name, list(graph.functions)) == ("m", ["main", "m_2"])


def test_dims_of_a_callee_are_bound_by_its_inputs() -> None:
    def cut(f: bx.F, x: bx.Value) -> bx.Value:
        return x[:, : x.shape[1] - 1]

    def pad(f: bx.F, x: bx.Value) -> bx.Value:
        return f.concatenate([x, f.zeros([x.shape[0], x.shape[1], 2])], axis=-1)

    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return f.call("b", pad)(f.call("a", cut)(x))

    graph = graph_of(main, x=bx.Input(["batch", "seq", 8]))
    own = functions(graph)
    assert own["cut"]["inputs"] == {"x": {"shape": ["_", "seq", "_"]}}
    assert own["cut"]["nodes"]["index_1"]["at"] == ":, :$seq - 1"
    assert own["pad"]["inputs"] == {"x": {"shape": ["batch", "x_1", "_"]}}
    assert bx.build(graph)({}, jnp.ones((2, 5, 8)))[0].shape == (2, 4, 10)


def test_an_axis_has_one_name_in_a_function() -> None:
    def row(f: bx.F, x: bx.Value) -> bx.Value:
        return f.ones([x.shape[1]])

    def main(f: bx.F, x: bx.Value, y: bx.Value) -> dict[str, bx.Value]:
        return {"a": f.call("a", row)(x), "b": f.call("b", row)(y)}

    inputs = {"x": bx.Input(["batch", "src"]), "y": bx.Input(["batch", "tgt"])}
    graph = graph_of(main, **inputs)
    assert list(graph.functions) == ["main", "row"]
    found, _ = bx.build(graph)({}, jnp.ones((1, 2)), jnp.ones((1, 3)))
    assert {name: value.shape for name, value in found.items()} == {
        "a": (2,),
        "b": (3,),
    }


def test_one_set_of_parameters_for_two_calls() -> None:
    def encode(f: bx.F, x: bx.Value) -> bx.Value:
        return f.linear("l", x, 4)

    def main(f: bx.F, x: bx.Value, y: bx.Value) -> bx.Value:
        return f.call("enc", encode)(x) - f.call("enc_2", encode, params="enc")(y)

    graph = graph_of(main, x=X, y=X)
    assert list(graph.program().leaves()) == ["enc.l.kernel", "enc.l.bias"]


def check_program(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    make = program(seed)
    graph = make()
    key = key_of
    with monkeypatch.context() as apart:
        apart.setattr(groups, "key_of", lambda trace, of: (*key(trace, of), trace.path))
        alone = make()
    assert len(alone.functions) >= len(graph.functions)
    shapes = [
        {path: leaf.full_shape for path, leaf in g.program().leaves().items()}
        for g in (graph, alone)
    ]
    assert shapes[0] == shapes[1]
    params = jax.eval_shape(lambda: bx.init(graph, jax.random.key(0)))
    x = jax.ShapeDtypeStruct((2, 5, 8), jnp.float32)
    mask = jax.ShapeDtypeStruct((1, 1, 1, 1), jnp.bool_)
    found, expected = (
        jax.make_jaxpr(bx.build(g))(params, x, mask) for g in (graph, alone)
    )
    assert_same_jaxpr(found, expected)
    bx.check_attributes(make, width=12, heads=3)


@pytest.mark.parametrize("seed", range(4))
def test_random_programs_unified_and_apart(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_program(seed, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4, int(os.environ.get("BLOX_PROGRAMS", "16"))))
def test_more_random_programs(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    check_program(seed, monkeypatch)


@pytest.mark.parametrize("scan", [True, False])
def test_sizes_go_through_what_takes_a_key_of_training(scan: bool) -> None:
    """`rng` gives no key outside of training, and what takes it keeps its shape."""

    def block(f: bx.F, x: bx.Value, key: bx.Value) -> bx.Value:
        x = f.dropout("drop", x, 0.5, key=key)
        return f.linear("proj", x, x.features)

    b = bx.GraphBuilder("model")

    @b.entry(x=bx.Input(["batch", 4]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        key = f.rng("rng")
        x = f.dropout("drop", x, 0.5, key=key)
        x = f.linear("first", x, 6)
        return f.repeat("h", block, count=2, scan=scan)(x, key)

    functions = b.graph().plain()["functions"]
    assert functions["main"]["nodes"]["first"]["in_features"] == 4
    assert functions["block"]["nodes"]["proj"]["in_features"] == 6
