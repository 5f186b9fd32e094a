"""Ops that are no core ops: registered from Python, or with a body in the Graph."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import gate_ops
import jax.numpy as jnp
import numpy as np
import pytest
from generated_files import executed
from runtime.gate_specs import BODY, GATE, INPUTS, gate_spec
from sample_specs import Data, function, spec

import blox as bx
from blox.schema import Graph, SpecError, to_json, to_msgpack
from blox.schema.write.reorder import reorder

pytestmark = pytest.mark.usefixtures("nothing_registered")
X = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)


def expected(scale: Any) -> Any:
    return X * np.asarray(scale) * np.vectorize(math.erf)(2 * X)


def params_of(graph: Graph) -> Any:
    shapes = {p: leaf.shape for p, leaf in graph.program().leaves().items()}
    assert shapes == {"n.scale": (4,)}
    return {"n": {"scale": jnp.arange(4.0)}}


@pytest.mark.parametrize(
    ("here", "body"),
    [(True, None), (False, BODY), (True, BODY)],
    ids=["registered", "with a body", "both"],
)
def test_it_runs_and_generates(here: bool, body: Data | None) -> None:
    if here:
        gate_ops.register()
    graph = Graph.parse(gate_spec(body))
    assert bx.validate(graph).ok
    params = params_of(graph)
    found, _ = bx.build(graph)(params, X)
    np.testing.assert_allclose(found, expected(params["n"]["scale"]), 1e-5, 1e-6)
    source = bx.generate(graph)
    assert "blox" not in "".join(x for x in source.splitlines() if "import" in x)
    assert ("from jax.scipy import special" in source) == here
    np.testing.assert_array_equal(executed(source)["model"](params, X), found)


def test_a_reader_without_either_says_what_to_install() -> None:
    graph = Graph.parse(gate_spec())
    (found,) = bx.validate(graph)
    assert found.code == "op-unregistered"
    assert str(found) == (
        'main.n.op: expected an op that is registered here or has a body in "ops", '
        "found 'acme:gate'; import the package that registers it"
    )
    gate_ops.register()
    assert bx.validate(graph).ok  # the same Graph, once the package is imported


def test_text_and_digest_do_not_depend_on_what_is_registered() -> None:
    data = gate_spec(BODY, {"op": "acme:gate", "k": 2.0, "x": "x", "features": 4})
    before = Graph.parse(data)
    texts = to_json(before), to_msgpack(before), before.digest
    gate_ops.register()
    after = Graph.parse(json.loads(texts[0]))
    assert (to_json(after), to_msgpack(after), after.digest) == texts
    assert after == before
    assert after.replace_attributes().digest == before.digest


def test_the_order_of_nodes_can_be_restored() -> None:
    nodes: Data = {"n": GATE | {"x": "a"}, "a": {"op": "relu", "x": "x"}}
    data = spec(nodes, "n", inputs=INPUTS, functions={"acme_gate": BODY})
    data["ops"] = {"acme:gate": "acme_gate"}
    assert not bx.validate(Graph.parse(data)).ok
    restored = reorder(data)
    assert list(restored.functions["main"].nodes) == ["a", "n"]
    assert bx.validate(restored).ok


def test_a_version_and_several_outputs() -> None:
    gate_ops.register()
    node = {"op": "acme:halves@2", "x": "x", "k": 3.0}
    graph = Graph.parse(spec({"n": node}, {"a": "n.a", "b": "n.b"}, inputs=INPUTS))
    found, _ = bx.build(graph)({}, X)
    np.testing.assert_array_equal(found["a"], 3 * X[:, :2])
    source = bx.generate(graph)
    assert "def acme_halves_v2(" in source
    np.testing.assert_array_equal(executed(source)["model"]({}, X)["b"], 3 * X[:, 2:])


def test_the_builder_infers_its_sizes() -> None:
    gate_ops.register()
    b = bx.GraphBuilder("model", width=4)

    @b.entry(x=bx.Input(["batch", b.width]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        gated = f.op("acme:gate", "gated", x, k=3.0)
        halves = f.op("acme:halves@2", gated)
        return f.add(halves.a, halves.b)

    graph = b.graph()
    assert graph.replace_attributes(width=6).program().leaves()[
        "gated.scale"
    ].shape == (6,)
    data = json.loads(to_json(graph))
    nodes = data["functions"]["main"]["nodes"]
    fixed = {**data, "functions": {"main": {**data["functions"]["main"], "nodes": {
        **nodes, "gated": nodes["gated"] | {"features": 4},
    }}}}  # fmt: skip
    with pytest.raises(SpecError, match=r"main\.gated\.features 4"):
        Graph.parse(fixed).replace_attributes(width=6)
    assert nodes["gated"] == {
        "op": "acme:gate", "x": "x", "features": "$width", "k": 3.0,
    }  # fmt: skip

    @b.entry(x=bx.Input(["batch", b.width]))
    def other(f: bx.F, x: bx.Value) -> bx.Value:
        with pytest.raises(SpecError, match=r"expected an op that is registered here"):
            f.op("acme:nothing", "n", x)
        with pytest.raises(SpecError, match=r"at most 1 operands by position"):
            f.op("acme:gate", "n", x, x)
        with pytest.raises(SpecError, match=r"x is given twice"):
            f.op("acme:gate", "n", x, x=x)
        with pytest.raises(
            SpecError, match=r"other\.n\.bent: acme:gate: expected one of"
        ):
            f.op("acme:gate", "n", x, bent=1)
        return x


def test_the_builder_writes_calls_of_a_body_as_the_op() -> None:
    def bend(f: bx.F, x: bx.Value, *, k: float) -> bx.Value:
        return f.erf(x * k)

    def acme_gate(f: bx.F, x: bx.Value, *, features: int, k: float) -> bx.Value:
        scaled = x * f.param("scale", [features])
        return scaled * f.call("bent", bend)(x, k=k)

    b = bx.GraphBuilder("model", width=4)

    @b.entry(x=bx.Input(["batch", b.width]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return f.call("n", acme_gate)(x, features=b.width, k=2.0)

    graph = b.graph(ops={"acme:gate": acme_gate})
    data = json.loads(to_json(graph))
    assert data["ops"] == {"acme:gate": "acme_gate"}
    assert data["functions"]["acme_gate"]["attributes"] == ["features", "k"]
    assert data["functions"]["bend"]["attributes"] == ["k"]
    assert data["functions"]["main"]["nodes"]["n"] == {
        "op": "acme:gate", "x": "x", "features": "$width", "k": 2.0,
    }  # fmt: skip
    params = params_of(graph)
    found, _ = bx.build(graph)(params, X)
    np.testing.assert_allclose(found, expected(params["n"]["scale"]), 1e-5, 1e-6)
    gate_ops.register()
    again, _ = bx.build(Graph.parse(data))(params, X)
    np.testing.assert_allclose(again, found, 1e-5, 1e-6)
    with pytest.raises(SpecError, match=r"expected one function other that is called"):
        b.graph(ops={"acme:gate": "other"})


def test_names_of_the_user_stay() -> None:
    """A function, an input and a node named as what the op brings along."""
    gate_ops.register()
    inner = function(
        {"acme_gate": GATE | {"x": "special"}}, "acme_gate", {"special": {}}
    )
    data = spec(
        {"n": {"op": "call", "function": "acme_gate", "inputs": ["x"], "params": "."}},
        inputs=INPUTS,
        functions={"acme_gate": inner},
    )
    graph = Graph.parse(data)
    params = {"acme_gate": {"scale": jnp.ones(4)}}
    found, _ = bx.build(graph)(params, X)
    source = bx.generate(graph)
    assert "special as special_" in source
    np.testing.assert_array_equal(executed(source)["model"](params, X), found)


def test_verify_compares_function_and_body(tmp_path: Path) -> None:
    wrong = json.loads(json.dumps(BODY))
    wrong["nodes"]["bent"]["op"] = "tanh"
    for name, body in (("right", BODY), ("wrong", wrong)):
        graph = Graph.parse(gate_spec(body))
        bx.save(tmp_path / name, graph, params_of(graph))
    assert bx.verify(tmp_path / "wrong").ok  # alone, the body is the meaning
    gate_ops.register()
    assert bx.verify(tmp_path / "right").ok
    (found,) = bx.verify(tmp_path / "wrong").errors
    assert found.code == "op-body"
    assert found.path == "main.outputs.y"
    assert "expected values within 0.0001, found one off by" in found.message


@pytest.mark.parametrize(
    "more",
    [
        {"dims": {"batch": {"min": 1 << 22}}},
        {"wide": "int64"},
        {"wide": "float64"},
        {"dims": {"batch": {"min": 1 << 21, "max": 1 << 30}}},
        {"constraints": ["batch * batch == 1000003"]},
    ],
)
def test_verify_reports_an_entry_that_it_can_not_compare(
    more: Data, tmp_path: Path
) -> None:
    wide = {"other": {"shape": ["batch"], "dtype": more.get("wide", "int32")}}
    data = gate_spec(BODY, **{k: v for k, v in more.items() if k != "wide"})
    data["functions"]["main"]["inputs"] = INPUTS | wide
    graph = Graph.parse(data)
    bx.save(tmp_path, graph, params_of(graph))
    gate_ops.register()
    (found,) = [d for d in bx.verify(tmp_path) if d.code == "op-body-untried"]
    assert found.severity == "warning"
    assert found.path == "main"
    assert found.message.startswith("expected inputs of at most 4194304 values, of")


def test_verify_gives_keys_of_the_shape_that_is_declared(tmp_path: Path) -> None:
    inputs = INPUTS | {"keys": {"shape": [3], "dtype": "key"}}
    data = gate_spec(BODY)
    data["functions"]["main"]["inputs"] = inputs
    graph = Graph.parse(data)
    bx.save(tmp_path, graph, params_of(graph))
    gate_ops.register()
    assert bx.verify(tmp_path).ok
