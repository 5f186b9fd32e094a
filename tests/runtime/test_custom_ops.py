"""Ops that are no core ops: registered from Python, or with a body in the Graph."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import gate_ops
import jax.numpy as jnp
import numpy as np
import pytest
from sample_specs import Data, function, spec

import blox as bx
from blox.schema import Graph, SpecError, registry, to_json, to_msgpack
from blox.schema.fields import Tensor
from blox.schema.op import Op
from blox.schema.write.reorder import reorder

X = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
GATE: Data = {"op": "acme:gate", "x": "x", "features": 4, "k": 2.0}
BODY = function(
    {
        "scale": {"op": "param", "shape": ["$features"], "params": "scale"},
        "by": {"op": "multiply", "a": "x", "b": "$k"},
        "bent": {"op": "erf", "x": "by"},
        "scaled": {"op": "multiply", "a": "x", "b": "scale"},
        "out": {"op": "multiply", "a": "scaled", "b": "bent"},
    },
    {"out": "out"},
    {"x": {}},
    attributes=["features", "k"],
)
INPUTS: Data = {"x": {"shape": ["batch", 4], "dtype": "float"}}


@pytest.fixture(autouse=True)
def nothing_registered() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "_REGISTERED", {})
        yield


def gate_spec(body: Data | None = None, node: Data = GATE, **more: Any) -> Data:
    functions = {} if body is None else {"acme_gate": body}
    ops = {} if body is None else {"ops": {"acme:gate": "acme_gate"}}
    return spec({"n": node}, inputs=INPUTS, functions=functions, **(ops | more))


def expected(scale: Any) -> Any:
    return X * np.asarray(scale) * np.vectorize(math.erf)(2 * X)


def params_of(graph: Graph) -> Any:
    shapes = {p: leaf.shape for p, leaf in graph.program().leaves().items()}
    assert shapes == {"n.scale": (4,)}
    return {"n": {"scale": jnp.arange(4.0)}}


def run_file(source: str, params: Any) -> Any:
    space: dict[str, Any] = {"__name__": "generated"}
    exec(compile(source, "generated", "exec"), space)
    return space["model"](params, X)


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
    np.testing.assert_array_equal(run_file(source, params), found)


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
    np.testing.assert_array_equal(run_file(source, {})["b"], 3 * X[:, 2:])


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
    np.testing.assert_array_equal(run_file(source, params), found)


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


NAMES: list[tuple[str, Any]] = [
    ("a core op", {"relu": "acme_gate"}),
    ("no maker", {"gate": "acme_gate"}),
    ("version 1", {"acme:gate@1": "acme_gate"}),
    ("capitals", {"Acme:gate": "acme_gate"}),
    ("two colons", {"acme:gate:x": "acme_gate"}),
    ("text", {"acme:gate\n'": "acme_gate"}),
]


@pytest.mark.parametrize("ops", [o for _, o in NAMES], ids=[n for n, _ in NAMES])
def test_names_that_have_no_body(ops: Any) -> None:
    with pytest.raises(SpecError) as raised:
        Graph.parse(gate_spec(BODY) | {"ops": ops})
    (found,) = raised.value.diagnostics
    assert "\n" not in str(found)
    assert "expected the name of an op that is no core op" in found.message


def changed(**nodes: Data) -> Data:
    return {**BODY, "nodes": {**BODY["nodes"], **nodes}}


def with_second(data: Data) -> Data:
    """Another op, whose body has the first one."""
    data["functions"]["second"] = function({"n": GATE}, "n", {"x": {}})
    return {**data, "ops": {**data["ops"], "acme:second": "second"}}


STATE = changed(out={"op": "batch_norm", "x": "scaled", "features": 4})
OTHER = changed(out={"op": "acme:second", "x": "scaled"})
LOOP = changed(out=GATE | {"features": "$features", "k": "$k"})
FAULTS: list[tuple[str, Data, str, str]] = [
    ("unknown function", gate_spec(BODY) | {"ops": {"acme:gate": "nothing"}},
     "op-body", "ops.acme:gate: expected the name of a function, found 'nothing'"),
    ("a body that calls its own op", gate_spec(LOOP),
     "cycle", "acme_gate: expected calls without a cycle, found one through acme_gate"),
    ("bodies that call each other", with_second(gate_spec(OTHER)),
     "cycle", "second: expected calls without a cycle, found one through acme_gate"),
    ("state", gate_spec(STATE),
     "op-body", "ops.acme:gate: expected a body without state, found some in acme_gate"),
    ("key", gate_spec({**BODY, "inputs": {"x": {}, "k2": {"dtype": "key"}}}),
     "op-body", "ops.acme:gate: expected a body without keys, found the input k2"),
    ("text", gate_spec(BODY, GATE | {"k": "fast"}),
     "field-value", "main.n.k: expected a finite number or an expression"),
    ("list", gate_spec(BODY, GATE | {"k": [1.0]}),
     "field-value", "main.n.k: expected a finite number or an expression"),
    ("list of operands", gate_spec(BODY, GATE | {"x": ["x"]}),
     "field-value", "main.n.x: expected a reference or a number, found ['x']"),
    ("unknown field", gate_spec(BODY, GATE | {"z": 1}),
     "field-unknown", "main.n.z: expected an input or an attribute of acme_gate"),
    ("option", gate_spec(BODY, GATE | {"init": {}}),
     "field-unknown", "main.n.init: expected an input or an attribute of acme_gate"),
    ("no attribute", gate_spec(BODY, {"op": "acme:gate", "x": "x", "features": 4}),
     "call-attributes", "main.n.attributes: expected features, k for acme_gate"),
    ("path", gate_spec(BODY, GATE | {"params": "../x"}),
     "field-value", "main.n.params: expected `.` or a parameter path"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "code", "text"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS]
)
@pytest.mark.parametrize("here", [True, False], ids=["here", "not here"])
def test_bodies_that_do_not_fit(data: Data, code: str, text: str, here: bool) -> None:
    """The same is reported whatever is registered."""
    if here:
        gate_ops.register()
    found = list(bx.validate(Graph.parse(data)).errors)
    assert [d.code for d in found] == [code]
    assert str(found[0]).startswith(text)
    assert "\n" not in str(found[0])


def test_a_registered_op_has_the_parameters_of_its_body() -> None:
    gate_ops.register()
    renamed = json.loads(json.dumps(BODY).replace('"params": "scale"', '"params": "s"'))
    found = bx.validate(Graph.parse(gate_spec(renamed))).errors
    assert [d.path for d in found] == ["n.s", "n.scale"]
    assert "to have the parameters of its body" in found[0].message


def test_fields_of_a_registered_op_are_checked() -> None:
    gate_ops.register()
    graph = Graph.parse(gate_spec(None, GATE | {"k": "fast", "z": 1}))
    assert [str(d) for d in bx.validate(graph).errors] == [
        "main.n.k: expected a finite number or an expression such as `$width ** 0.5`, "
        "found 'fast'",
        "main.n.z: expected no such field",
    ]
    graph = Graph.parse(gate_spec(None, GATE | {"k": 0.0}))
    (found,) = bx.validate(graph).errors
    assert str(found) == "main.n.k: expected a number other than 0, found 0.0"


class Wrong(Op):
    """Has no maker in its name."""

    op: Literal["wrong"] = "wrong"
    x: Tensor


class Other(Op):
    """Has the name of another one."""

    op: Literal["acme:gate"] = "acme:gate"
    x: Tensor


def plain(x: Any) -> Any:
    return x


def test_what_cannot_be_registered() -> None:
    gate_ops.register()
    gate_ops.register()  # the same again is no fault
    for cls, call, text in (
        (Wrong, plain, "expected an op with the name of its maker"),
        (Other, lambda x: x, "expected a function at the top of a module"),
        (Other, jnp.tanh, "expected a function"),
        (gate_ops.Gate, plain, "expected class and function to agree"),
        (Other, plain, "found that of a registered op"),
    ):
        with pytest.raises(SpecError, match=text):
            bx.register(cls, call)
