"""A part of a model as its own: the same numbers, its arrays, its bounds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from sample_specs import function, spec
from trees import same_structure

import blox as bx
from blox.schema import Graph

MODELS = Path(__file__).parents[1] / "models"


def graph_of(name: str) -> Graph:
    return bx.load_graph(MODELS / f"{name}.json")


def places(graph: Graph, entry: str) -> list[str]:
    """Every path that names a part, the first two copies of each repeat."""
    found: list[str] = []

    def visit(instance: Any, before: str) -> None:
        for step in instance.steps:
            path = f"{before}{step.name}"
            for called in step.callees:
                declared = called.declared
                if declared.layout != "one":
                    found.append(path)
                    inner = [f"{path}[{i}]" for i in range(min(2, declared.copies))]
                else:
                    inner = [f"{path}.{declared.role}" if declared.role else path]
                for i, place in enumerate(inner):
                    found.append(place)
                    visit(called.copy(i), f"{place}.")
            if len(step.callees) > 1:
                found.append(path)

    visit(graph.program().entries[entry], "")
    return list(dict.fromkeys(found))


PARTS = [
    (name, entry, place)
    for name in (
        "control_flow",
        "state_everywhere",
        "tiny_gpt",
        "small_resnet",
        "minilm",
    )
    for entry in graph_of(name).entries
    for place in places(graph_of(name), entry)
]


@pytest.mark.parametrize(("name", "entry", "place"), PARTS)
def test_every_part_is_a_sound_model(name: str, entry: str, place: str) -> None:
    graph = graph_of(name)
    part = graph.extract(place, entry=entry)
    report = bx.validate(part.graph)
    assert report.ok, str(report)
    whole = jax.eval_shape(lambda: bx.init(graph, jax.random.key(0)))
    own = jax.eval_shape(lambda: bx.init(part.graph, jax.random.key(0)))
    cut = jax.eval_shape(part.params, whole)
    assert same_structure(cut, own)
    assert jax.tree.map(jnp.shape, cut) == jax.tree.map(jnp.shape, own)
    assert jax.tree.map(lambda a: a.dtype, cut) == jax.tree.map(lambda a: a.dtype, own)


def stack(scan: bool) -> Graph:
    b = bx.GraphBuilder("net", width=4, depth=3)
    b.dim("seq", max=8 * b.depth)

    def block(f: bx.F, x: bx.Value, *, by: float) -> bx.Value:
        return x + f.tanh(f.linear("up", x, b.width)) * by

    def body(f: bx.F, x: bx.Value, *, size: int) -> bx.Value:
        x = f.linear("first", x, size)
        return f.repeat("h", block, count=3, scan=scan)(x, by=0.5)

    @b.entry(x=bx.Input(["batch", "seq", 2]))
    def main(f: bx.F, x: bx.Value) -> dict[str, bx.Value]:
        x = f.call("body", body)(x, size=b.width)
        return {"y": f.linear("head", x, 1), "x": x}

    return b.graph(license="MIT")


@pytest.mark.parametrize("scan", [True, False])
def test_parts_one_after_another_are_the_whole(scan: bool) -> None:
    graph = stack(scan)
    params = bx.init(graph, jax.random.key(0))
    x = jax.random.normal(jax.random.key(1), (2, 3, 2))
    whole, _ = bx.build(graph)(params, x)

    def run(path: str, x: jax.Array) -> jax.Array:
        part = graph.extract(path)
        y: jax.Array = bx.build(part.graph)(part.params(params), x)[0]
        return y

    assert jnp.allclose(run("body", x), whole["x"], atol=1e-6)
    first = params["body"]["first"]
    x = x @ first["kernel"] + first["bias"]
    copies = x
    for i in range(3):
        copies = run(f"body.h[{i}]", copies)
    assert jnp.allclose(copies, whole["x"], atol=1e-6)
    assert jnp.allclose(run("body.h", x), whole["x"], atol=1e-6)


def test_a_part_is_short_to_look_at() -> None:
    part = stack(True).extract("body.h[1]")
    assert repr(part) == f"<Part {part.graph!r}, 2 arrays>"


def test_what_a_part_says() -> None:
    part = stack(True).extract("body.h[1]")
    assert part.graph.plain() == {
        "format": "blox/1",
        "name": "net_h",
        "attributes": {"width": 4, "depth": 3},
        "dims": {"seq": {"max": "$8 * depth"}},
        "functions": {
            "main": {
                "inputs": {"x": {"shape": ["batch", "seq", 4], "dtype": "float"}},
                "nodes": stack(True).plain()["functions"]["block"]["nodes"],
                "outputs": {"x": "add_1"},
            }
        },
        "metadata": {"license": "MIT"},
    }
    assert part.paths == {
        "up.kernel": ("body.h.up.kernel", (1,)),
        "up.bias": ("body.h.up.bias", (1,)),
    }
    listed = stack(False).extract("body.h[1]")
    assert listed.paths["up.bias"] == ("body.h.1.up.bias", ())
    whole = stack(False).extract("body.h")
    assert whole.paths["h.1.up.bias"] == ("body.h.1.up.bias", ())
    assert list(whole.graph.functions) == ["main", "block"]


def test_attributes_are_those_of_the_call() -> None:
    """Named apart from those of functions that it calls, and of the graph."""
    inner = function(
        {"l": {"op": "linear", "x": "x", "in_features": 8, "out_features": "$n"}},
        "l", attributes=["n"],
    )  # fmt: skip
    outer = function(
        {"a": {"op": "call", "function": "inner", "inputs": {"x": "x"},
               "attributes": {"n": "$2 * n"}},
         "b": {"op": "linear", "x": "x", "in_features": 8, "out_features": "$n"}},
        {"a": "a", "b": "b"}, attributes=["n"],
    )  # fmt: skip
    call = {"op": "call", "function": "outer", "inputs": {"x": "x"}}
    graph = Graph.parse(
        spec(
            {
                "p": {**call, "attributes": {"n": 3}},
                "q": {**call, "attributes": {"n": 5}},
            },
            {"y": "p.a", "z": "q.b"},
            functions={"outer": outer, "inner": inner},
        )
    )
    part = graph.extract("q")
    assert part.graph.attributes == {"n_2": 5}
    leaves = part.graph.program().leaves()
    assert leaves["a.l.kernel"].full_shape == (8, 10)
    assert leaves["b.kernel"].full_shape == (8, 5)
    assert part.graph.extract("a").graph.attributes == {"n": 10}


def test_shapes_are_those_of_the_call() -> None:
    def grow(f: bx.F, x: bx.Value) -> bx.Value:
        return f.concatenate([x, f.relu(x)], axis=1)

    b = bx.GraphBuilder("twice")
    b.dim("seq", min=3)

    @b.entry(x=bx.Input(["batch", "seq", 4]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return f.call("second", grow)(f.call("first", grow)(x[:, :3]))

    graph = b.graph()
    for path, size in (("first", 3), ("second", 6)):
        part = graph.extract(path).graph
        assert part.functions["main"].inputs["x"].shape == ["batch", size, 4]


def test_dims_keep_the_names_that_nodes_use() -> None:
    inner = function(
        {"r": {"op": "reshape", "x": "x", "shape": ["$rows * cols"]}},
        "r", {"x": {"shape": ["rows", "cols"]}},
    )  # fmt: skip
    graph = Graph.parse(
        spec(
            {"c": {"op": "call", "function": "inner", "inputs": {"x": "x"}}},
            inputs={"x": {"shape": ["seq", "time"], "dtype": "float"}},
            dims={"seq": {"min": 2}, "time": {"max": 9}},
            constraints=["seq <= time"],
            functions={"inner": inner},
        )
    )
    part = graph.extract("c").graph.plain()
    assert part["functions"]["main"]["inputs"]["x"]["shape"] == ["rows", "cols"]
    assert part["dims"] == {"rows": {"min": 2}, "cols": {"max": 9}}
    assert part["constraints"] == ["rows <= cols"]


def test_sizes_that_others_decide_are_written() -> None:
    tied = function({"u": {"op": "unembed", "x": "x", "params": "e"}}, "u")
    graph = Graph.parse(
        spec(
            {"e": {"op": "embed", "ids": "i", "num_embeddings": "$n", "features": 8},
             "c": {"op": "call", "function": "h", "inputs": {"x": "e"}, "params": "."}},
            "c",
            inputs={"i": {"shape": ["seq"], "dtype": "int32"}},
            functions={"h": tied},
            attributes={"n": 5},
        )
    )  # fmt: skip
    part = graph.extract("c")
    assert part.graph.program().leaves()["e.embedding"].full_shape == (5, 8)
    assert part.paths == {"e.embedding": ("e.embedding", ())}


def test_bodies_of_ops_come_along() -> None:
    cap = function({"t": {"op": "tanh", "x": "x"}}, "t")
    inner = function({"c": {"op": "acme:cap", "x": "x"}}, "c")
    graph = Graph.parse(
        {
            **spec(
                {"i": {"op": "call", "function": "inner", "inputs": {"x": "x"}}},
                functions={"cap_of": cap, "inner": inner},
            ),
            "ops": {"acme:cap": "cap_of"},
        }
    )
    part = graph.extract("i").graph
    assert dict(part.ops) == {"acme:cap": "cap_of"}
    assert list(part.functions) == ["main", "cap_of"]


def test_a_part_without_jax_takes_any_shape() -> None:
    code = (
        "from pathlib import Path; from blox.schema import from_bytes; import sys; "
        f"g = from_bytes(Path({str(MODELS / 'minilm.json')!r}).read_bytes()); "
        "p = g.extract('encoder[2]'); assert 'jax' not in sys.modules; "
        "print(p.graph.functions['main'].inputs['x'].shape, len(p.paths))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "['...'] 16"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (3, "expected a path of nodes that run functions"),
        ("", "expected a path of nodes that run functions, such as h[0].attn"),
        ("bdoy", "expected a node of main that runs a function (body), found 'bdoy'; did "
                 "you mean body?"),
        ("h[1]", "found 'h'; did you mean body.h?"),
        ("head", "(body), found head, which runs none"),
        ("body.h[3]", "expected a copy, h[0] to h[2], found h[3]"),
        ("body.h.up", "expected a copy, h[0] to h[2], found h"),
        ("body[0]", "expected no copy of body, found 0; all of its runs share"),
        ("body.h[-1]", "expected a node such as h or h[3], found 'h[-1]'"),
        ("body.h[99999999999]", "expected a node such as h or h[3]"),
        ("body..h", "expected a node such as h or h[3], found ''"),
        ("body.\x1b[31m", r"found '\x1b[31m'"),
        ("body.h[0].up.kernel", "found up, which runs none"),
    ],
)  # fmt: skip
def test_what_is_no_part_is_refused(path: str, text: str) -> None:
    with pytest.raises(bx.SpecError) as caught:
        stack(True).extract(path)
    assert text in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_branches_have_names() -> None:
    graph = graph_of("control_flow")
    with pytest.raises(
        bx.SpecError, match=r"expected then, else of branch, found 'than'"
    ):
        graph.extract("branch.than")
    with pytest.raises(
        bx.SpecError, match=r"found 'attn'; did you mean model.h\[0\].attn"
    ):
        graph_of("tiny_gpt").extract("model.attn")
    with pytest.raises(bx.SpecError, match="expected an entry"):
        graph.extract("branch", entry="other")


def test_a_repeat_of_nothing_has_no_copies() -> None:
    graph = Graph.parse(
        spec(
            {"h": {"op": "repeat", "function": "g", "count": 0, "carry": {"x": "x"}}},
            {"y": "h"},
            functions={"g": function({"r": {"op": "relu", "x": "x"}}, {"x": "r"})},
        )
    )
    with pytest.raises(bx.SpecError, match="expected a copy of h, which has none"):
        graph.extract("h[0]")


def test_arrays_that_are_not_there_are_named() -> None:
    part = stack(True).extract("body.h[1]")
    with pytest.raises(bx.SpecError, match=r"body\.h\.up\.kernel: expected an array"):
        part.params({"body": {}})
    with pytest.raises(bx.SpecError, match=r"body\.h\.up\.kernel: expected an array"):
        part.params([])  # type: ignore[arg-type]


def test_what_a_call_leaves_out_and_nobody_types_is_no_input() -> None:
    """An absent mask would be a float without anything that says otherwise."""
    given = {"x": {}, "m": {"optional": True}, "k": {"optional": True}}
    nodes: dict[str, dict[str, Any]] = {
        "d": {"op": "default", "x": "k", "default": "x"},
        "a": {"op": "dot_product_attention", "query": "d", "key": "d", "value": "d",
              "mask": "m"},
        "c": {"op": "call", "function": "g", "inputs": {"x": "a", "m": "m"}},
    }  # fmt: skip
    inner = {"a": {**nodes["a"], "query": "x", "key": "x", "value": "x"}}
    graph = Graph.parse(
        spec(
            {"c": {"op": "call", "function": "f", "inputs": {"x": "x"}}},
            "c",
            inputs={"x": {"shape": ["batch", "seq", 2, 4], "dtype": "float"}},
            functions={
                "f": {"inputs": given, "nodes": nodes, "outputs": {"y": "c"}},
                "g": {
                    "inputs": {"x": {}, "m": {"optional": True}},
                    "nodes": inner,
                    "outputs": {"y": "a"},
                },
            },
        )
    )
    part = graph.extract("c").graph
    assert list(part.functions["main"].inputs) == ["x"]
    assert bx.validate(part).ok
    x = jnp.arange(24.0).reshape(1, 3, 2, 4)
    assert jnp.array_equal(bx.build(part)({}, x)[0], bx.build(graph)({}, x)[0])
