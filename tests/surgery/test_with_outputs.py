"""Inner values as outputs: the outputs that there were are computed by the same program."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from generated_files import assert_same_program, ways
from golden_models import graph_of
from jaxprs import same_program
from sample_specs import function, spec
from surgery.inner import arguments, inner_paths, outputs_of, program_of

import blox as bx
from blox.schema import Graph

MODELS = sorted(p.stem for p in (Path(__file__).parents[1] / "models").glob("*.json"))
FEW = {"control_flow", "dropout_net", "literals", "sequential"}
FLAT = {"literals": "best.", "state_everywhere": "columns."}
"""Loops over axis 1, and scalars in them: nothing that could be stacked there."""
CASES = [
    pytest.param(*(name, *way), marks=[] if name in FEW else [pytest.mark.slow])
    for name in MODELS
    for way in ways(graph_of(name))
]


@pytest.mark.parametrize(("name", "entry", "train", "optional"), CASES)
def test_all_inner_values_at_once(
    name: str, entry: str, train: bool, optional: bool
) -> None:
    graph = graph_of(name)
    paths = inner_paths(graph.program().entries[entry])
    paths = [p for p in paths if not p.startswith(FLAT.get(name, "?"))]
    names = [f"seen_{i}" for i in range(len(paths))]
    seen = graph.with_outputs(*paths, names=names, entry=entry)
    assert dict(seen.program().leaves()) == dict(graph.program().leaves())
    assert seen.entries == graph.entries
    assert [*seen.functions[entry].outputs] == [*graph.functions[entry].outputs, *names]
    was = program_of(graph, graph, entry, train, optional)
    assert same_program(was, program_of(seen, graph, entry, train, optional))
    for other in graph.entries:
        if other != entry:
            assert same_program(
                program_of(graph, graph, other, train, optional),
                program_of(seen, graph, other, train, optional),
            )


@pytest.mark.parametrize(
    "name", ["control_flow", pytest.param("tiny_gpt", marks=pytest.mark.slow)]
)
def test_a_file_that_is_generated_has_them(name: str) -> None:
    graph = graph_of(name)
    paths = inner_paths(graph.program().entries[graph.entries[0]])
    names = [f"seen_{i}" for i in range(len(paths))]
    seen = graph.with_outputs(*paths, names=names)
    assert_same_program(seen, bx.generate(seen))


def layers(scan: bool, shared: bool = False) -> Graph:
    b = bx.GraphBuilder("net", width=4, depth=3)

    def block(f: bx.F, x: bx.Value) -> bx.Value:
        mid = f.tanh(f.linear("up", x, b.width), name="mid")
        return x + f.linear("down", mid, b.width)

    @b.entry(x=bx.Input(["batch", b.width]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        options: Any = {"scan": scan, "shared": True} if shared else {"scan": scan}
        return f.repeat("h", block, count=b.depth, **options)(x)

    return b.graph()


@pytest.mark.parametrize(("scan", "shared"), [(True, False), (False, False),
                                              (False, True)])  # fmt: skip
def test_all_copies_of_a_repeat_lie_on_one_axis(scan: bool, shared: bool) -> None:
    graph = layers(scan, shared)
    params = bx.init(graph, jax.random.key(0))
    x = jax.random.normal(jax.random.key(1), (2, 4))
    seen = graph.with_outputs("h.mid", "h[1].mid", "h.add_1")
    assert list(seen.functions["main"].outputs) == [
        "out",
        "h_mid",
        "h_1_mid",
        "h_add_1",
    ]
    found = outputs_of(seen, params, x)
    wanted, states = [], [x]
    for i in range(3):
        h = params["h"]
        own = h if shared else jax.tree.map(lambda a, i=i: a[i], h) if scan else h[i]
        wanted.append(jnp.tanh(states[-1] @ own["up"]["kernel"] + own["up"]["bias"]))
        down = own["down"]
        states.append(states[-1] + wanted[-1] @ down["kernel"] + down["bias"])
    assert jnp.allclose(found["h_mid"], jnp.stack(wanted), atol=1e-6)
    assert jnp.allclose(found["h_add_1"], jnp.stack(states[1:]), atol=1e-6)
    assert jnp.array_equal(found["h_1_mid"], found["h_mid"][1])
    assert jnp.array_equal(found["out"], found["h_add_1"][2])


def test_steps_of_a_scan_lie_on_its_axis() -> None:
    b = bx.GraphBuilder("rnn", width=4)

    def cell(f: bx.F, h: bx.Value, x: bx.Value) -> dict[str, bx.Value]:
        mixed = f.linear("w", f.concatenate([h, x], axis=-1), b.width)
        return {"h": f.tanh(mixed, name="next")}

    @b.entry(x=bx.Input(["batch", "time", 3]))
    def main(f: bx.F, x: bx.Value) -> dict[str, bx.Value]:
        start = f.zeros([x.shape[0], b.width])
        return {"h": f.scan("cells", cell, axis=1)(start, bx.slices(x))["h"]}

    graph = b.graph()
    params = bx.init(graph, jax.random.key(0))
    x = jnp.ones((2, 5, 3))
    found = outputs_of(graph.with_outputs("cells.next"), params, x)
    assert found["cells_next"].shape == (2, 5, 4)
    assert jnp.array_equal(found["cells_next"][:, -1], found["h"])


def two_calls() -> Graph:
    """A function that two nodes call, and another one that it calls."""
    b = bx.GraphBuilder("net", width=4)

    def inner(f: bx.F, x: bx.Value) -> bx.Value:
        return f.linear("w", f.tanh(x, name="t"), b.width)

    def block(f: bx.F, x: bx.Value) -> bx.Value:
        return f.call("deep", inner)(x) * 2.0

    @b.entry(x=bx.Input(["batch", b.width]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return f.call("b", block)(f.call("a", block)(x))

    return b.graph()


def test_functions_of_others_stay_what_they_are() -> None:
    graph = two_calls()
    seen = graph.with_outputs("a.deep.t")
    new, old = seen.plain()["functions"], graph.plain()["functions"]
    assert list(new) == ["main", "block", "block_2", "inner", "inner_2"]
    assert {n: new[n] for n in ("block", "inner")} == {
        n: old[n] for n in ("block", "inner")
    }
    assert new["main"]["nodes"]["a"]["function"] == "block_2"
    assert new["main"]["nodes"]["b"]["inputs"] == {"x": "a.out"}
    both = seen.with_outputs("b.deep.t")
    assert list(both.functions) == list(new)
    params = bx.init(graph, jax.random.key(0))
    x = jnp.arange(8.0).reshape(2, 4)
    found = outputs_of(both, params, x)
    assert jnp.array_equal(found["out"], outputs_of(graph, params, x)["out"])


def test_what_a_function_gives_anyway_is_taken_from_there() -> None:
    graph = graph_of("state_everywhere")
    seen = graph.with_outputs("listed.mean")
    assert seen.functions.keys() == graph.functions.keys()
    assert seen.functions["row"] == graph.functions["row"]
    assert seen.functions["main"].outputs["listed_mean"].value == "listed.mean"


def test_an_entry_that_another_calls_stays_an_entry() -> None:
    """A copy of an entry is none: it gets what a call of the entry would cast."""
    nodes = {
        "t": {"op": "tanh", "x": "x"},
        "w": {"op": "linear", "x": "t", "in_features": 8, "out_features": 8},
    }
    call = {"op": "call", "function": "main", "inputs": ["n"], "params": "."}
    counted = function(
        {"model": call},
        {"out": "model"},
        {"n": {"shape": ["batch", 8], "dtype": "int32"}},
    )
    graph = Graph.parse(spec(nodes, {"out": "w"}, entries=["main", "counted"],
                             functions={"counted": counted}))  # fmt: skip
    params = bx.init(graph, jax.random.key(0), dtype="bfloat16")
    n = jnp.arange(16).reshape(2, 8)
    seen = graph.with_outputs("model.t", entry="counted")
    assert seen.functions["main"] == graph.functions["main"]
    found = outputs_of(seen, params, n, entry="counted")
    wanted = outputs_of(graph, params, n, entry="counted")["out"]
    assert found["out"].dtype == jnp.bfloat16
    assert jnp.array_equal(found["out"], wanted)
    assert jnp.array_equal(found["model_t"], jnp.tanh(n.astype("bfloat16")))
    again = graph.with_outputs("t")
    assert again.plain()["functions"]["counted"]["outputs"] == {"out": "model.out"}
    assert jnp.array_equal(outputs_of(again, params, n, entry="counted")["out"], wanted)


def test_one_lane_of_a_map_lies_on_its_axis() -> None:
    nodes = {"m": {"op": "map", "function": "g", "inputs": {"x": "x"}, "count": 3,
                   "axis": -1}}  # fmt: skip
    inner = {"t": {"op": "linear", "x": "x", "in_features": 8, "out_features": 8},
             "r": {"op": "relu", "x": "t"}}  # fmt: skip
    graph = Graph.parse(
        spec(nodes, {"y": "m"}, functions={"g": function(inner, {"y": "r"})})
    )
    seen = graph.with_outputs("m[2].t", "m.t")
    params = bx.init(graph, jax.random.key(0))
    found = outputs_of(seen, params, *arguments(graph.program().entries["main"]))
    assert found["m_t"].shape[-1] == 3
    assert jnp.array_equal(found["m_2_t"], found["m_t"][..., 2])


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("nothing", "expected a node of main (zero, shift, shifted, total, positive, "
                    "branch, loop, path and 2 more), found 'nothing'"),
        ("rate", "found 'rate'; did you mean path.rate?"),
        ("path", "expected one of the outputs of path (x, point), found path alone; "
                 "write path.x"),
        ("path.rates", "expected a node of euler (rate, scaled, late, next, mean), found "
                       "'rates'; did you mean rate?"),
        ("path.rate.kernel", "expected rate to run a function of the Graph, found the op "
                             "linear; ask for rate itself"),
        ("branch.scale", "branch is a cond: a value in it is there only where its branch "
                         "runs; ask for what branch gives, or for what decides it"),
        ("loop.more", "loop is a while_loop: it keeps no value of its steps, of which "
                      "there may be any number"),
        ("path[0].rate", "expected no copy of path, found 0; it runs one function, or"),
        ("experts[1]", "expected a node of experts[1], found the copy itself; name what "
                       "it gives, such as experts[1].linear"),
        ("experts[3].linear", "expected a copy, experts[0] to experts[2], found "
                              "experts[3]"),
        ("experts[-1].linear", "expected a node such as h or h[3], found 'experts[-1]'"),
        ("", "expected a node such as h or h[3], found ''"),
        ("path..rate", "expected a node such as h or h[3], found ''"),
        ("path.\x1b[31m", r"found '\x1b[31m'"),
        (3, "expected the path of a node, found 3"),
        ("." * 5000, "expected a node such as h or h[3]"),
    ],
)  # fmt: skip
def test_what_is_no_value_is_refused(path: Any, text: str) -> None:
    with pytest.raises(bx.SpecError) as caught:
        graph_of("control_flow").with_outputs(path, names=["seen"])
    assert text in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_other_faults_are_told_with_what_to_do() -> None:
    graph = graph_of("state_everywhere")
    with pytest.raises(bx.SpecError, match="rng, which gives a key"):
        graph.with_outputs("rng")
    with pytest.raises(
        bx.SpecError, match=r"an axis 1 to stack on, found .*; what is led"
    ):
        graph.with_outputs("columns.all")
    with pytest.raises(bx.SpecError, match="expected at least one path"):
        graph.with_outputs()
    with pytest.raises(bx.SpecError, match="a name for each of 1 paths"):
        graph.with_outputs("total", names="total")
    with pytest.raises(
        bx.SpecError, match="sum, which there is; say another by names="
    ):
        graph.with_outputs("total", names=["sum"])
    with pytest.raises(
        bx.SpecError, match="expected the name of an output, found '1a'"
    ):
        graph.with_outputs("total", names=["1a"])
    with pytest.raises(bx.SpecError, match="expected an entry"):
        graph.with_outputs("total", entry="other")
    scanned = graph_of("prefixes")
    with pytest.raises(bx.SpecError, match="steps is an associative_scan"):
        scanned.with_outputs("steps.add_1")


def test_a_repeat_of_nothing_gives_nothing() -> None:
    graph = layers(True).replace_attributes(depth=0)
    with pytest.raises(bx.SpecError, match="expected a copy of h, which has none"):
        graph.with_outputs("h.mid")
