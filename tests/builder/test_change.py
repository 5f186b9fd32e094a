"""The same model with something else in place of nodes: all else stays as it is."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import pytest
from golden_models import graph_of
from random_programs import program
from sample_specs import function, spec

import blox as bx
from blox.builder.change import change
from blox.schema import Graph

# Of the one that is left, a list of numbers for copies becomes an attribute of these.
SAME = [
    "albert",
    "cached_decoder",
    "control_flow",
    "dropout_net",
    "minilm",
    "small_resnet",
    "tiny_gpt",
    "weight_norm",
]


@pytest.mark.parametrize("name", SAME)
def test_nothing_in_place_of_nothing_is_the_same_model(name: str) -> None:
    graph = graph_of(name)
    assert change(graph, {}) == graph


@pytest.mark.parametrize("seed", range(3))
def test_random_models_stay_what_they_are(seed: int) -> None:
    graph = program(seed)()
    assert change(graph, {}) == graph


def test_loops_of_every_kind_keep_their_arrays() -> None:
    graph = graph_of("state_everywhere")
    changed = change(graph, {})
    assert dict(changed.program().leaves()) == dict(graph.program().leaves())


def lora(f: bx.F, node: bx.Node) -> bx.Value:
    low = f.linear(f"{node.name}_down", node.x, 2, use_bias=False)
    changed: bx.Value = node() + f.linear(f"{node.name}_up", low, node.out_features)
    return changed


def test_what_there_was_keeps_its_place() -> None:
    graph = graph_of("tiny_gpt")
    tuned = change(graph, {"attention.qkv": lora})
    plain, before = tuned.plain(), graph.plain()
    assert {k: v for k, v in plain.items() if k != "functions"} == {
        k: v for k, v in before.items() if k != "functions"
    }
    for name, own in plain["functions"].items():
        if name != "attention":
            assert own == before["functions"][name]
    old, new = graph.program().leaves(), tuned.program().leaves()
    assert {p: new[p] for p in old} == dict(old)
    added = {p: leaf.full_shape for p, leaf in new.items() if p not in old}
    width = graph.attributes["width"]
    assert added == {
        "h.attn.qkv_down.kernel": (3, width, 2),
        "h.attn.qkv_up.kernel": (3, 2, 3 * width),
        "h.attn.qkv_up.bias": (3, 3 * width),
    }
    wider = tuned.replace_attributes(width=64).program().leaves()
    assert wider["h.attn.qkv_up.kernel"].full_shape == (3, 2, 192)


def test_a_node_is_left_out_or_given_another_operand() -> None:
    graph = Graph.parse(
        spec(
            {"a": {"op": "tanh", "x": "x"}, "b": {"op": "multiply", "a": "a", "b": 2.0},
             "c": {"op": "acme:cap", "x": "b", "cap": 3.0}},
            functions={"cap_of": function(
                {"m": {"op": "minimum", "a": "x", "b": "$cap"}}, "m", attributes=["cap"])},
            ops={"acme:cap": "cap_of"},
            metadata={"license": "MIT", "authors": ["A"]},
        )
    )  # fmt: skip

    def without(f: bx.F, node: bx.Node) -> Any:
        return node.x

    def negative(f: bx.F, node: bx.Node) -> Any:
        return node(a=-node.a)

    changed = change(graph, {"main.a": without, "main.b": negative})
    assert changed.metadata == graph.metadata
    assert changed.ops == graph.ops
    assert list(changed.functions["main"].nodes) == ["negative_1", "b", "c"]
    x = jnp.array([[1.0, -2.0] * 4])
    wanted = jnp.array([[-2.0, 3.0] * 4])
    assert jnp.array_equal(bx.build(changed)({}, x)[0], wanted)


def test_faults_are_those_of_the_place() -> None:
    def wide(f: bx.F, node: bx.Node) -> Any:
        return f.concatenate([node(), node.x], axis=-1)

    with pytest.raises(bx.ModelError, match=r"main\.model\.h\.attn"):
        change(graph_of("tiny_gpt"), {"attention.qkv": wide})
    with pytest.raises(
        bx.SpecError, match=r"found 'attn.qkv'; did you mean attention.qkv"
    ):
        change(graph_of("tiny_gpt"), {"attn.qkv": wide})
    with pytest.raises(TypeError, match="expected a Graph, found a path"):
        change("model", {})  # type: ignore[arg-type]


def stack() -> Graph:
    b = bx.GraphBuilder("stack", width=4)

    def block(f: bx.F, x: bx.Value, by: bx.Value) -> bx.Value:
        return f.linear("up", x, b.width) * by

    @b.entry(x=bx.Input(["batch", b.width]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return f.repeat("h", block, count=3)(x, f.sigmoid(x))

    return b.graph()


def test_a_node_that_runs_functions_gives_its_value_and_gets_others() -> None:
    def around(f: bx.F, node: bx.Node) -> Any:
        once = {**node.inputs, "by": f.relu(node.inputs["by"])}
        return node(inputs=once, count=2) + node.carry["x"]

    graph = change(stack(), {"main.h": around})
    nodes = graph.plain()["functions"]["main"]["nodes"]
    assert nodes["h"]["inputs"] == {"by": "relu_1"}
    assert nodes["h"]["carry"] == {"x": "x"}
    assert nodes["h"]["count"] == 2
    assert nodes["add_1"] == {"op": "add", "a": "h", "b": "x"}
    assert graph.functions["main"].outputs["out"].value == "add_1"


def test_a_carry_is_given_anew() -> None:
    def around(f: bx.F, node: bx.Node) -> Any:
        return node(carry={"x": f.relu(node.carry["x"])})

    nodes = change(stack(), {"main.h": around}).plain()["functions"]["main"]["nodes"]
    assert nodes["h"]["carry"] == {"x": "relu_1"}


def test_a_node_gets_options_that_it_had_not() -> None:
    def around(f: bx.F, node: bx.Node) -> Any:
        return node(frozen=["kernel"], init={"bias": {"name": "ones"}})

    graph = change(stack(), {"block.up": around})
    leaves = graph.program().leaves()
    assert leaves["h.up.kernel"].frozen
    assert leaves["h.up.bias"].init.name == "ones"


def test_names_that_are_made_up_are_those_of_no_node_that_comes() -> None:
    nodes = {
        "up": {"op": "tanh", "x": "x"},
        "add_2": {"op": "add", "a": "up", "b": "x"},
    }
    graph = Graph.parse(spec(nodes, "add_2"))

    def twice(f: bx.F, node: bx.Node) -> Any:
        return node() + node.x + node.x

    changed = change(graph, {"main.up": twice})
    assert list(changed.functions["main"].nodes) == ["up", "add_3", "add_4", "add_2"]


def test_an_op_with_a_body_is_a_value_too() -> None:
    graph = Graph.parse(
        spec(
            {"c": {"op": "acme:cap", "x": "x", "cap": 3.0}},
            functions={"cap_of": function(
                {"m": {"op": "minimum", "a": "x", "b": "$cap"}}, "m", attributes=["cap"])},
            ops={"acme:cap": "cap_of"},
        )
    )  # fmt: skip

    def twice(f: bx.F, node: bx.Node) -> Any:
        return node(cap=2.0, x=-node.x) + node.x

    changed = change(graph, {"main.c": twice})
    x = jnp.array([[1.0, -5.0] * 4])
    assert jnp.array_equal(bx.build(changed)({}, x)[0], jnp.minimum(-x, 2.0) + x)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"y": 1}, "main.h.y: expected a field that the node has (count, carry, inputs"),
        ({"function": "g"}, "main.h.function: expected another field, found function, "
                            "which stays; write a node of your own instead of node()"),
        ({"index": "i"}, "expected another field, found index"),
    ],
)  # fmt: skip
def test_what_makes_it_another_node_is_refused(
    changes: dict[str, Any], text: str
) -> None:
    with pytest.raises(bx.SpecError) as caught:
        change(stack(), {"main.h": lambda f, node: node(**changes)})
    assert text in str(caught.value)


def test_around_is_a_dict() -> None:
    with pytest.raises(bx.SpecError, match="expected a dict of functions by globs"):
        change(stack(), [len])  # type: ignore[arg-type]
    with pytest.raises(bx.SpecError, match="expected a glob over"):
        change(stack(), {3: len})  # type: ignore[dict-item]
