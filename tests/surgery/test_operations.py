"""Operations of `bx.edit`: what they change, what stays bit for bit, what they refuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from golden_models import graph_of
from jaxprs import same_program
from sample_specs import function, spec
from surgery.checking import assert_exhaustive, program_with
from surgery.inner import outputs_of
from trees import same_structure

import blox as bx
from blox.runtime.params import flat
from blox.schema import Graph

Operation = Callable[[bx.Edit], bx.Edit]


def some(cases: list[tuple[str, Operation]]) -> list[Any]:
    """All cases, every other one only in the slow run."""
    slow = pytest.mark.slow
    return [
        pytest.param(*c, marks=[slow] if i % 2 else []) for i, c in enumerate(cases)
    ]


SAME: list[tuple[str, Operation]] = [
    ("tiny_gpt", lambda e: e.freeze("wte", "h.*.kernel").train("h.attn")),
    ("tiny_gpt", lambda e: e.rename("attention.qkv", "query_key").rename("mlp", "ffn")),
    ("tiny_gpt", lambda e: e.rename("wte", "embed.tokens").rename("h", "head.h")),
    ("tiny_gpt", lambda e: e.rename("width", "features").rename("main.tokens", "ids")),
    ("tiny_gpt", lambda e: e.copies("model.h", 3).copies("model.h", [0, 1, 2])),
    ("small_resnet", lambda e: e.freeze("stem", "*.first.conv")),
    (
        "control_flow",
        lambda e: e.rename("branch", "fork").rename("euler.rate", "speed"),
    ),
    ("control_flow", lambda e: e.rename("experts", "lanes.more").freeze("path")),
    ("sequential", lambda e: e.freeze("*kernel")),
    ("cached_decoder", lambda e: e.rename("depth", "layers")),
    ("albert", lambda e: e.freeze("*")),
]
"""Operations that change no number that comes out."""


@pytest.mark.parametrize(("name", "operation"), some(SAME))
def test_what_computes_the_same_is_the_same_program(
    name: str, operation: Operation
) -> None:
    graph = graph_of(name)
    edit = operation(bx.edit(graph))
    assert_exhaustive(edit)
    assert edit.plan.new == edit.plan.dropped == ()
    for entry in graph.entries:
        was = program_with(None, graph, entry)
        assert same_program(was, program_with(edit, graph, entry))


def normed(f: bx.F, x: bx.Value) -> bx.Value:
    return f.layer_norm("extra", x)


MORE: list[tuple[str, Operation]] = [
    ("tiny_gpt", lambda e: e.copies("model.h", 5)),
    ("tiny_gpt", lambda e: e.copies("model.h", [2, 0], new="last").freeze("h")),
    ("tiny_gpt", lambda e: e.head(lambda f, x: f.linear("head", x, 10))),
    ("tiny_gpt", lambda e: e.insert(normed, after="mlp.up").rename("mlp.extra", "ln")),
    ("tiny_gpt", lambda e: e.insert(normed, before="*.qkv").remove("attention.extra")),
    ("tiny_gpt", lambda e: e.outputs("model.h.attn.qkv").copies("model.h", 2)),
    ("state_everywhere", lambda e: e.copies("listed", 3).copies("grid", 1)),
    ("state_everywhere", lambda e: e.copies("listed[0].outer", 3).copies("lanes", 2)),
    ("state_everywhere", lambda e: e.copies("widened", [3, 1]).freeze("group")),
    ("albert", lambda e: e.copies("encoder", 2)),
]  # fmt: skip
"""Operations that make, drop or choose arrays."""


@pytest.mark.parametrize(("name", "operation"), some(MORE))
def test_every_array_is_accounted_for(name: str, operation: Operation) -> None:
    edit = operation(bx.edit(graph_of(name)))
    assert_exhaustive(edit)
    assert bx.validate(edit.graph).ok


def net(scan: bool = True, count: int = 3) -> Graph:
    b = bx.GraphBuilder("net", width=4, depth=count)

    def block(f: bx.F, x: bx.Value) -> bx.Value:
        return x + f.tanh(f.linear("up", x, b.width), name="act")

    @b.entry(x=bx.Input(["batch", b.width]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        x = f.repeat("h", block, count=b.depth, scan=scan)(x)
        return f.linear("out", x, 2)

    return b.graph()


X = jnp.arange(8.0).reshape(2, 4) / 8


@pytest.mark.parametrize("scan", [True, False])
def test_chosen_copies_keep_their_arrays(scan: bool) -> None:
    graph = net(scan)
    params = bx.init(graph, jax.random.key(0))
    edit = bx.edit(graph).copies("h", [2, 0, 2])
    assert edit.graph == graph
    found = edit.carry_over(params)
    assert same_structure(found, params)
    kernels = [params["h"]["up"]["kernel"][i] if scan else params["h"][i]["up"]["kernel"]
               for i in (2, 0, 2)]  # fmt: skip
    own = (
        found["h"]["up"]["kernel"] if scan else [p["up"]["kernel"] for p in found["h"]]
    )
    assert jnp.array_equal(jnp.stack(list(own)), jnp.stack(kernels))


@pytest.mark.parametrize("scan", [True, False])
def test_the_first_copies_compute_what_they_did(scan: bool) -> None:
    graph = net(scan)
    params = bx.init(graph, jax.random.key(0))
    edit = bx.edit(graph).copies("h", 2)
    assert edit.graph.attributes["depth"] == 2
    shallow = edit.outputs("h", names=["state"])
    deep = graph.with_outputs("h.add_1", names=["states"])
    was = outputs_of(deep, params, X)["states"][1]
    is_ = outputs_of(shallow.graph, shallow.carry_over(params), X)["state"]
    assert jnp.array_equal(was, is_)


@pytest.mark.parametrize("scan", [True, False])
def test_more_copies_are_new_or_those_of_the_last(scan: bool) -> None:
    graph = net(scan)
    params = bx.init(graph, jax.random.key(0))
    edit = bx.edit(graph).copies("h", 5)
    key = jax.random.key(7)

    def kernels(params: Any) -> Any:
        h = params["h"]
        return h["up"]["kernel"] if scan else jnp.stack([p["up"]["kernel"] for p in h])

    found, whole = edit.carry_over(params, key), bx.init(edit.graph, key)
    assert jnp.array_equal(kernels(found)[:3], kernels(params))
    assert jnp.array_equal(kernels(found)[3:], kernels(whole)[3:])
    last = bx.edit(graph).copies("h", 5, new="last")
    found = last.carry_over(params)
    assert jnp.array_equal(kernels(found)[3:], jnp.stack([kernels(params)[2]] * 2))
    assert last.plan.new == ()


def test_a_count_that_others_have_too_is_a_number_from_then_on() -> None:
    call = {"op": "repeat", "function": "g", "count": "$n", "carry": {"x": "x"}}
    inner = {"w": {"op": "linear", "x": "x", "in_features": 8, "out_features": 8}}
    graph = Graph.parse(
        spec({"a": call, "b": {**call, "carry": {"x": "a"}}}, "b", attributes={"n": 3},
             functions={"g": function(inner, {"x": "w"})})
    )  # fmt: skip
    edit = bx.edit(graph).copies("a", 2)
    nodes = edit.graph.plain()["functions"]["main"]["nodes"]
    assert (nodes["a"]["count"], nodes["b"]["count"]) == (2, "$n")
    assert edit.graph.attributes == {"n": 3}
    assert [row.new for row in edit.plan.changed] == ["a.w.kernel", "a.w.bias"]


@pytest.mark.parametrize("scan", [True, False])
def test_what_is_in_all_copies_needs_no_number(scan: bool) -> None:
    inner = {"w": {"op": "linear", "x": "x", "in_features": 8, "out_features": 8}}
    call = {"op": "repeat", "count": 3, "carry": {"x": "x"}, "scan": scan}
    functions = {"f": function({"i": {**call, "function": "g"}}, {"x": "i"}),
                 "g": function(inner, {"x": "w"})}  # fmt: skip
    graph = Graph.parse(
        spec({"o": {**call, "function": "f"}}, "o", functions=functions)
    )
    edit = bx.edit(graph).rename("o.i", "o.j").copies("o.i", [2, 1])
    old = bx.init(graph, jax.random.key(0))
    new = edit.carry_over(old)

    def kernel(params: Any, name: str, o: int, i: int) -> Any:
        if scan:
            return params["o"][name]["w"]["kernel"][o, i]
        return params["o"][o][name][i]["w"]["kernel"]

    for o in range(3):
        for now, was in enumerate([2, 1]):
            assert jnp.array_equal(kernel(new, "j", o, now), kernel(old, "i", o, was))


def test_int8_is_not_trained_and_floats_are_again() -> None:
    small = bx.edit(net()).quantize("main.out")
    assert small.plan.frozen == ("out.kernel.values", "out.kernel.scale")
    back = bx.edit(small.graph).dequantize()
    assert (back.plan.frozen, back.plan.trained) == ((), ("out.kernel",))
    assert (both := small.dequantize().plan).frozen == both.trained == ()


def test_what_happens_twice_is_said_twice() -> None:
    edit = bx.edit(net()).copies("h", [1, 0, 2]).copies("h", [1, 0, 2])
    assert {r.how for r in edit.plan.changed} == {"copies 1, 0, 2, then copies 1, 0, 2"}


def test_a_count_that_is_a_width_too_is_a_number_from_then_on() -> None:
    inner = {
        "w": {"op": "linear", "x": "x", "in_features": 8, "out_features": "$n"},
        "z": {"op": "linear", "x": "w", "in_features": "$n", "out_features": 8},
    }
    call = {"op": "repeat", "function": "g", "count": "$n", "carry": {"x": "x"}}
    functions = {"g": function(inner, {"x": "z"})}
    graph = Graph.parse(
        spec({"a": call}, "a", attributes={"n": 3}, functions=functions)
    )
    edit = bx.edit(graph).copies("a", [2, 0])
    assert edit.graph.attributes == {"n": 3}
    assert {row.how for row in edit.plan.carried} == {"copies 2, 0"}
    assert not edit.plan.new


def test_a_head_is_new_wherever_its_function_runs() -> None:
    up = {"op": "linear", "x": "x", "in_features": 8, "out_features": 8}
    calls = {name: {"op": "call", "function": "g", "inputs": {"x": x}}
             for name, x in (("a", "x"), ("b", "a"))}  # fmt: skip
    inner = {"up": up, "out": {**up, "x": "up", "params": "there"}}
    graph = Graph.parse(
        spec(calls, "b", functions={"g": function(inner, {"y": "out"})})
    )
    edit = bx.edit(graph).head(lambda f, x: f.linear("there", x, 8))
    made = [f"{call}.there.{name}" for call in "ab" for name in ("kernel", "bias")]
    assert [a.path for a in edit.plan.new] == made
    assert [a.path for a in edit.plan.dropped] == made
    assert {row.how for row in edit.plan.carried} == {""}


def test_a_head_is_new_even_where_the_old_one_had_its_shape() -> None:
    graph = net()
    params = bx.init(graph, jax.random.key(0))
    edit = bx.edit(graph).head(lambda f, x: f.linear("out", x, 2))
    assert [a.path for a in edit.plan.new] == ["out.kernel", "out.bias"]
    assert [a.path for a in edit.plan.dropped] == ["out.kernel", "out.bias"]
    found = edit.carry_over(params, jax.random.key(1))
    assert not jnp.array_equal(found["out"]["kernel"], params["out"]["kernel"])
    assert found["h"]["up"]["kernel"] is params["h"]["up"]["kernel"]
    scored = bx.edit(graph).head(lambda f, x: {"out": f.linear("head", x, 5)}, "out")
    assert outputs_of(scored.graph, scored.carry_over(params, jax.random.key(1)), X)[
        "out"
    ].shape == (2, 5)


def test_nodes_are_put_in_and_taken_out() -> None:
    graph = net(scan=False, count=1)
    params = bx.init(graph, jax.random.key(0))

    def wanted(*, act: bool = True, twice: bool = False, add: bool = True) -> Any:
        up, out = params["h"][0]["up"], params["out"]
        y = X * 2 if twice else X
        y = y @ up["kernel"] + up["bias"]
        y = jnp.tanh(y) if act else y
        y = X + y if add else y
        return y @ out["kernel"] + out["bias"]

    def close(a: Any, b: Any) -> bool:
        return bool(jnp.allclose(a, b, atol=1e-6))

    def out_of(edit: bx.Edit) -> Any:
        return outputs_of(edit.graph, edit.carry_over(params), X)["out"]

    e = bx.edit(graph)
    assert close(out_of(e), wanted())
    assert close(out_of(e.remove("block.act")), wanted(act=False))
    assert close(out_of(e.remove("block.add_1", by="b")), wanted(add=False))
    assert close(out_of(e.insert(lambda f, x: x * 2, before="block.up")),
                 wanted(twice=True))  # fmt: skip
    rest = X @ params["out"]["kernel"] + params["out"]["bias"]
    doubled = e.insert(lambda f, x: x * 2, after="block.act")
    assert close(out_of(doubled), wanted() * 2 - rest)
    whole = e.insert(lambda f, x: x * 2, before="main.h", of="x")
    direct = bx.edit(graph).replace(
        "main.h", lambda f, node: node(carry={"x": node.carry["x"] * 2})
    )
    assert whole.graph == direct.graph
    skipped = e.remove("main.h")
    assert [a.path for a in skipped.plan.dropped] == ["h.0.up.kernel", "h.0.up.bias"]


def two() -> Graph:
    """One function that two nodes call."""
    b = bx.GraphBuilder("two", width=4)

    def block(f: bx.F, x: bx.Value) -> bx.Value:
        return f.linear("up", x, b.width)

    @b.entry(x=bx.Input(["batch", b.width]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return f.call("b", block)(f.call("a", block)(x))

    return b.graph()


def test_a_function_is_copied_where_its_calls_come_to_differ() -> None:
    graph = two()
    one = bx.edit(graph).freeze("a.up")
    leaves = one.graph.program().leaves()
    assert [p for p, leaf in leaves.items() if leaf.frozen] == [
        "a.up.kernel",
        "a.up.bias",
    ]
    assert one.plan.frozen == ("a.up.kernel", "a.up.bias")
    back = bx.edit(one.graph).train("*.bias")
    assert (back.plan.frozen, back.plan.trained) == ((), ("a.up.bias",))
    assert str(back.plan).endswith("trained  1 array   a.up.bias")
    assert json.loads(back.plan.to_json())["trained"] == ["a.up.bias"]
    assert list(one.graph.functions) == ["main", "block", "block_2"]
    assert one.graph.functions["block"] == graph.functions["block"]
    both = one.freeze("b")
    assert all(leaf.frozen for leaf in both.graph.program().leaves().values())
    assert bx.edit(graph).freeze("a", "b").train("*").graph == graph
    moved = bx.edit(graph).rename("b.up", "b.proj")
    assert [*moved.graph.program().leaves()][2:] == ["b.proj.kernel", "b.proj.bias"]
    again = moved.rename("b.proj", "b.up")
    assert dict(again.graph.program().leaves()) == dict(graph.program().leaves())
    assert again.plan.changed == ()


def test_freezing_is_what_split_and_a_saved_file_see(tmp_path: Any) -> None:
    graph = net()
    params = bx.init(graph, jax.random.key(0))
    edit = bx.edit(graph).freeze("h")
    bx.save(tmp_path / "net", edit.graph, edit.carry_over(params))
    loaded, params = bx.load(tmp_path / "net")
    trainable, rest = bx.split(loaded, params)
    assert jax.tree.map(jnp.shape, trainable["out"]) == {"bias": (2,), "kernel": (4, 2)}
    assert not jax.tree.leaves(trainable["h"])
    assert len(jax.tree.leaves(rest)) == 2


def test_a_name_that_stands_for_several_things_is_asked_for() -> None:
    graph = Graph.parse(
        spec({"up": {"op": "linear", "x": "x", "in_features": 8, "out_features": 8}},
             {"up": "up"})
    )  # fmt: skip
    e = bx.edit(graph)
    with pytest.raises(
        bx.SpecError, match=r'found node, output; say which by kind="node"'
    ):
        e.rename("main.up", "down")
    assert [
        *e.rename("main.up", "down", kind="output").graph.functions["main"].outputs
    ] == ["down"]
    moved = e.rename("main.up", "main.down", kind="node")
    assert [row.old for row in moved.plan.changed] == [("up.kernel",), ("up.bias",)]


GPT: list[tuple[Operation, str]] = [
    (lambda e: e.rename("nothing", "x"), "expected a name of the Graph, found 'nothing'"),
    (lambda e: e.rename("mlp.up", "down"), "expected a name that is free, found down"),
    (lambda e: e.rename("width", "depth"), "found depth, which there is"),
    (lambda e: e.rename("mlp", "lambda"), "expected a name, found 'lambda'"),
    (lambda e: e.rename("mlp", "gelu"), "gelu"),
    (lambda e: e.rename("h.attn", "x"), "expected a path below h, where the function of"),
    (lambda e: e.rename("h.ln_1", "h.ln_2"), "'h.ln_2.scale': expected a path of one array"),
    (lambda e: e.rename("h.mlp.up.kernel", "k"), "found that of an array of one"),
    (lambda e: e.rename("block.x", "y", kind="input"), "the repeat"),
    (lambda e: e.rename("mlp", ""), "expected two names, found ''"),
    (lambda e: e.rename("mlp", "x", kind="all"), "expected one of node, function"),  # type: ignore[arg-type]
    (lambda e: e.freeze("h.*.kernle"), "did you mean h."),
    (lambda e: e.freeze(), "expected a glob over paths, found none"),
    (lambda e: e.copies("model", 2), "expected a node with copies"),
    (lambda e: e.copies("h", 2), "did you mean model.h?"),
    (lambda e: e.copies("model.h", -1), "expected 0 to 100000 copies, found -1"),
    (lambda e: e.copies("model.h", 10**9), "found 1000000000"),
    (lambda e: e.copies("model.h", [3]), "expected copies of 0 to 2, found 3"),
    (lambda e: e.copies("model.h", "3"), "expected a count or numbers of copies"),  # type: ignore[arg-type]
    (lambda e: e.copies("model.h", 4, new="first"), '"init" or "last"'),  # type: ignore[arg-type]
    (lambda e: e.copies("model.h[0]", 2), "expected a node with copies"),
    (lambda e: e.remove("mlp.nothing"), "tiny_gpt: expected a glob over"),
    (lambda e: e.replace("mlp.up", "x"), "def writer(f, node)"),  # type: ignore[arg-type]
    (lambda e: e.remove("mlp.up", by="y"), "an operand that is a value (x), found 'y'"),
    (lambda e: e.remove("block.*"), "or a dict of its outputs"),
    (lambda e: e.insert(normed), "expected one of after= and before="),
    (lambda e: e.insert(normed, after="mlp.up", of="x"), "expected one of after="),
    (lambda e: e.head(normed, "nothing"), "expected an output (logits), found 'nothing'"),
    (lambda e: e.outputs("h"), "did you mean model.h?"),
    (lambda e: e.copies("model.h", [True]), "copies of 0 to 2, found True"),
    (lambda e: e.insert("mlp", after="mlp.up"), "a function, found 'mlp'"),  # type: ignore[arg-type]
    (lambda e: e.head(None), "expected a function, found None"),  # type: ignore[arg-type]
    (lambda e: e.lora(8), "globs as texts, found 8"),  # type: ignore[arg-type]
    (lambda e: e.lora("*", alpha=10**400), "lora.alpha: expected a finite number"),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "text"), GPT)
def test_what_is_not_possible_is_said(operation: Operation, text: str) -> None:
    with pytest.raises(bx.BloxError) as caught:
        operation(bx.edit(graph_of("tiny_gpt")))
    assert text in str(caught.value)


def test_copies_of_a_list_are_frozen_all_or_none() -> None:
    graph = net(scan=False)
    with pytest.raises(
        bx.SpecError, match="expected the same of all copies of a repeat"
    ):
        bx.edit(graph).freeze("h.0.up")
    edit = bx.edit(graph).freeze("h.*.up")
    assert len([x for x in edit.graph.program().leaves().values() if x.frozen]) == 6


def test_an_edit_is_of_a_graph() -> None:
    with pytest.raises(TypeError, match="expected a Graph, found a path"):
        bx.edit("model")  # type: ignore[arg-type]


@pytest.mark.parametrize(("a", "b"), [(True, False), (False, True)])
def test_a_model_of_another_layout_gets_all_arrays(a: bool, b: bool) -> None:
    old, new = net(a), net(b)
    params = bx.init(old, jax.random.key(0))
    found = bx.carry_over(old, params, new)
    assert same_structure(found, bx.init(new, jax.random.key(0)))
    assert jnp.allclose(
        outputs_of(new, found, X)["out"], outputs_of(old, params, X)["out"], atol=1e-6
    )
    with pytest.raises(bx.SpecError, match="expected 3 copies, as there are arrays of"):
        bx.carry_over(old, params, net(b, count=4), key=jax.random.key(0))


def test_what_another_model_has_otherwise_is_new() -> None:
    old = net()
    params = bx.init(old, jax.random.key(0))
    new = bx.edit(old).head(lambda f, x: f.linear("out", x, 7)).graph
    found = bx.carry_over(old, params, new, key=jax.random.key(3))
    assert found["h"]["up"]["kernel"] is params["h"]["up"]["kernel"]
    whole = bx.init(new, jax.random.key(3))
    assert jnp.array_equal(found["out"]["kernel"], whole["out"]["kernel"])
    assert str(bx.plan(old, new)) == (
        "as is    2 arrays\n"
        "new      out.kernel  float[4, 7]\n"
        "new      out.bias    float[7]\n"
        "dropped  out.kernel  float[4, 2]\n"
        "dropped  out.bias    float[2]"
    )
    assert str(bx.plan(old, net(scan=False)).changed[0]) == (
        "Carried(new='h.0.up.kernel', old=('h.up.kernel',), how='copy 0')"
    )


def test_a_repeat_without_copies_is_one_that_carries_its_input_on() -> None:
    graph = net()
    params = bx.init(graph, jax.random.key(0))
    none = bx.edit(graph).copies("h", 0)
    assert [a.path for a in none.plan.dropped] == ["h.up.kernel", "h.up.bias"]
    out = outputs_of(none.graph, none.carry_over(params), X)["out"]
    assert jnp.allclose(out, X @ params["out"]["kernel"] + params["out"]["bias"])
    some = none.copies("h", 2)
    assert [a.path for a in some.plan.new] == ["h.up.kernel", "h.up.bias"]
    with pytest.raises(
        bx.SpecError, match="expected a copy to copy, found none; say new="
    ):
        none.copies("h", 1, new="last")


def test_arrays_in_the_body_of_an_op_are_frozen_there() -> None:
    cap = function({"w": {"op": "linear", "x": "x", "in_features": 8, "out_features": 8}},
                   "w")  # fmt: skip
    made = spec({"c": {"op": "acme:cap", "x": "x"}}, "c", functions={"cap_of": cap})
    graph = Graph.parse({**made, "ops": {"acme:cap": "cap_of"}})
    leaf = next(iter(graph.program().leaves()))
    with pytest.raises(
        bx.SpecError, match="an op with a body of the Graph has its nodes"
    ):
        bx.edit(graph).freeze(leaf)
    moved = bx.edit(graph).rename("main.c", "d")
    assert moved.plan.changed[0].old == (leaf,)


def test_copies_of_what_is_new_are_those_of_init() -> None:
    """Also where some copies are old, and those of a list."""
    key = jax.random.key(2)
    for scan in (True, False):
        graph = net(scan)
        params = bx.init(graph, jax.random.key(0))
        edit = bx.edit(graph).insert(lambda f, x: f.linear("extra", x, 4), after="*.up")
        edit = edit.copies("h", [2, 0]).copies("h", 3)
        found = dict(flat(edit.carry_over(params, key)))
        whole = dict(flat(bx.init(edit.graph, key)))
        for row in edit.plan.new:
            assert jnp.array_equal(found[row.path], whole[row.path])
        made, old = (
            [p["h.up.kernel"][i] if scan else p[f"h.{i}.up.kernel"] for i in range(3)]
            for p in (found, dict(flat(params)))
        )
        assert jnp.array_equal(made[0], old[2])
        assert jnp.array_equal(made[1], old[0])
        if scan:
            assert jnp.array_equal(made[2], whole["h.up.kernel"][2])
