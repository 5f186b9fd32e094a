"""`edit.insert`, `remove`, `replace` and `head`: nodes put in, taken out, and others."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from sample_specs import function, spec
from surgery.inner import outputs_of
from surgery.nets import X, net

import blox as bx
from blox.schema import Graph


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
