"""FLOPs by node: against XLA's own count, published figures, and the jaxpr."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from generator.op_cases import CASES, add_node, new_main, parsed
from random_graphs import random_graph
from sample_specs import Data, spec

import blox as bx
from blox.schema import Graph, ModelError
from blox.schema.ops.index import FAMILIES
from blox.shapes.binding import input_dtype
from blox.shapes.declared import Declared
from blox.shapes.samples import Sizes
from blox.shapes.symbolic import Symbols
from blox.show.count import Count
from blox.show.equations import Equations
from blox.show.flops import measure

MODELS = Path(__file__).parents[1] / "models"


def model(name: str, **attributes: int) -> Graph:
    """A model of the tests, its repeats unrolled: XLA counts a loop's body once."""
    data = json.loads((MODELS / f"{name}.json").read_text())
    for part in data["functions"].values():
        for node in part["nodes"].values():
            if node["op"] == "repeat":
                node["scan"] = False
    graph = Graph.parse(data)
    return graph.replace_attributes(**attributes) if attributes else graph


def convolutions() -> Graph:
    """Without padding, whose taps XLA leaves out."""

    def conv(x: str, size: int, features: int, **more: Any) -> Data:
        given = {"kernel_size": [5, 3], "padding": "VALID", "out_features": features}
        return {"op": "conv", "x": x, "in_features": size, **given, **more}

    nodes = {
        "a": conv("x", 4, 16, strides=2),
        "b": conv("a", 16, 32, groups=4),
        "c": conv("b", 32, 8, dilation=2),
    }
    shape = ["batch", "height", 32, 4]
    return Graph.parse(spec(nodes, inputs={"x": {"shape": shape, "dtype": "float"}}))


def int32(*shape: int) -> Any:
    return jax.ShapeDtypeStruct(shape, jnp.int32)


def image(*shape: int) -> Any:
    return jax.ShapeDtypeStruct(shape, jnp.float32)


def xla(graph: Graph, **inputs: Any) -> float:
    params = jax.eval_shape(lambda: bx.init(graph, jax.random.key(0)))
    compiled = jax.jit(bx.build(graph)).lower(params, **inputs).compile()
    found: Any = compiled.cost_analysis()
    return float(found["flops"])


def flops(graph: Graph, **dims: int) -> Count:
    return measure(graph, dims).entries["main"].flops


@pytest.mark.parametrize(
    ("graph", "inputs", "dims"),
    [
        (model("minilm", depth=1), ["input_ids"], {"batch": 2, "seq": 64}),
        (
            model("tiny_gpt", width=256, depth=2, context=64),
            ["tokens"],
            {"batch": 2, "seq": 64},
        ),
    ],
    ids=["minilm", "tiny_gpt"],
)
def test_as_xla_counts_where_products_rule(
    graph: Graph, inputs: list[str], dims: dict[str, int]
) -> None:
    found = flops(graph, **dims).number
    ids = int32(dims["batch"], dims["seq"])
    assert found == pytest.approx(xla(graph, **dict.fromkeys(inputs, ids)), rel=0.05)


def test_as_xla_counts_convolutions() -> None:
    graph = convolutions()
    found = flops(graph, batch=3, height=40).number
    assert found == pytest.approx(xla(graph, x=image(3, 40, 32, 4)), rel=0.01)


@pytest.mark.parametrize("name", ["minilm", "tiny_gpt", "control_flow"])
def test_a_formula_is_worth_what_is_counted_at_its_sizes(name: str) -> None:
    graph = model(name)
    symbolic = measure(graph).entries
    for batch, seq in ((1, 1), (3, 7)):
        dims = {"batch": batch, "seq": seq, "cached": 9}
        known = {n: dims[n] for n in _dims(graph)}
        for entry, cost in measure(graph, known).entries.items():
            text = str(symbolic[entry].flops).replace("^", "**")
            assert eval(text, {}, known) == cost.flops.number
            assert cost.flops.number


def _dims(graph: Graph) -> set[str]:
    entries = graph.program().entries.values()
    return {dim for instance in entries for dim in instance.dims}


def test_minilm_is_its_formula() -> None:
    cost = measure(model("minilm")).entries["main"]
    layer = cost.nodes["encoder"].called[0].copy(5)
    width, hidden = 384, 1536
    assert str(layer.nodes["up"].flops) == (
        f"{2 * width * hidden + hidden}*batch*seq"  # a product and a bias
    )
    attention = layer.nodes["attention"].called[0].copy(0)
    found = sum(
        (n.flops for n in attention.nodes.values()),
        start=Count(),
    )
    assert found == attention.flops
    # Of each pair of positions: two products of all heads, and what a softmax takes.
    pairs = attention.flops.terms[("batch", 1), ("seq", 2)]
    assert 4 * width < pairs < 4 * width * 1.1
    each = attention.flops.terms[("batch", 1), ("seq", 1)]
    assert 8 * width**2 < each < 8 * width**2 * 1.01


def resnet_18() -> Graph:
    """Its convolutions and its classifier."""
    b = bx.GraphBuilder("resnet_18")

    @b.entry(image=bx.Input(["batch", 224, 224, 3], "float"))
    def main(f: bx.F, image: bx.Value) -> bx.Value:
        def conv(name: str, x: bx.Value, features: int, size: int, stride: int) -> Any:
            pad = [[size // 2, size // 2]] * 2
            given: Any = {"strides": stride, "padding": pad, "use_bias": False}
            return f.conv(name, x, features, [size, size], **given)

        x = f.max_pool(conv("stem", image, 64, 7, 2), [2, 2])
        for i, features in enumerate((64, 128, 256, 512)):
            for j in range(2):
                stride = 2 if i and not j else 1
                y = conv(f"a_{i}_{j}", x, features, 3, stride)
                y = conv(f"b_{i}_{j}", y, features, 3, 1)
                x = y + (conv(f"skip_{i}", x, features, 1, 2) if stride == 2 else x)
        return f.linear("head", x.mean([1, 2]), 1000)

    return b.graph()


def test_resnet_18_is_as_published() -> None:
    """1.814 G multiply-adds: torchvision, `ResNet18_Weights.IMAGENET1K_V1.meta`."""
    cost = measure(resnet_18(), {"batch": 1}).entries["main"]
    names = ("stem", "head", "a_", "b_", "skip_")
    found = [n.flops.number or 0 for k, n in cost.nodes.items() if k.startswith(names)]
    assert round(sum(found) / 2 / 1e9, 3) == 1.814
    assert str(measure(resnet_18()).entries["main"].flops).endswith("*batch")


def test_every_op_is_counted() -> None:
    """But for solvers, and what goes on as long as its numbers say."""
    main = new_main()
    for i, case in enumerate(CASES):
        add_node(main, f"n{i}", case)
    found = measure(parsed(main, "every_op")).entries["main"].nodes
    unknown = {c[0] for i, c in enumerate(CASES) if found[f"n{i}"].flops.number is None}
    assert unknown == {*FAMILIES["linalg"], "hyp1f1", "poisson", "roots"} - {"det"}


def test_nodes_together_are_the_whole_model() -> None:
    """The jaxpr of the loaded model is counted too, loops and branches in it. How often a
    `while_loop` runs isn't said there; under `vmap` is only what depends on the lane, and
    an `associative_scan` combines in an order that is JAX's.
    """
    compared, differ = 0, []
    for seed in range(40):
        graph = random_graph(seed)
        ops = {n.op for f in graph.functions.values() for n in f.nodes.values()}
        if ops & {"while_loop", "map", "associative_scan"}:
            continue
        dims = dict.fromkeys(_dims(graph), 3)
        for entry, cost in measure(graph, dims).entries.items():
            compared += 1
            if cost.flops != counted_whole(graph, entry, dims):
                differ.append((seed, entry))
    assert differ == []
    assert compared > 20


def counted_whole(graph: Graph, entry: str, dims: dict[str, int]) -> Count:
    instance = graph.program().entries[entry]
    declared = Declared(instance.function.inputs, instance.values)
    names = declared.given(keys=False)
    arrays = {
        name: jax.ShapeDtypeStruct(
            Sizes(dims, (2,)).shape(name, given.shape or (), instance.values),
            input_dtype(given.dtype, jnp.float32),
        )
        for name, given in instance.function.inputs.items()
        if name in names
    }
    params = jax.eval_shape(lambda: bx.init(graph, jax.random.key(0)))
    return Equations(Symbols(iter(()), {}, [], {}))(
        jax.make_jaxpr(bx.build(graph, entry))(params, **arrays)
    )


@pytest.mark.parametrize(
    ("dims", "text"),
    [
        ({"bath": 1}, "expected a dim of the entries, found 'bath'; there are: batch, seq"),
        ({"batch": -1}, "batch: expected an integer from 0 to 2147483647, found -1"),
        ({"batch": 2**31}, "batch: expected an integer from 0 to 2147483647"),
        ({"batch": "2"}, "batch: expected an integer from 0 to 2147483647, found '2'"),
        ({"seq": 513}, "seq: expected at most 512, found 513"),
    ],
)  # fmt: skip
def test_dims_are_checked(dims: dict[str, Any], text: str) -> None:
    with pytest.raises(ModelError) as error:
        measure(model("minilm"), dims)
    assert text in str(error.value)
