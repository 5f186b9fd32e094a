"""Bodies of ops, and registered ops, with faults."""

from __future__ import annotations

import json
from typing import Any, Literal

import gate_ops
import jax.numpy as jnp
import pytest
from runtime.gate_specs import BODY, GATE, gate_spec
from sample_specs import Data, function

import blox as bx
from blox.schema import Graph, SpecError
from blox.schema.fields import Tensor
from blox.schema.op import Op

pytestmark = pytest.mark.usefixtures("nothing_registered")
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
     "field-value", "main.n.x: expected a reference, a number, true or false, found ['x']"),
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
