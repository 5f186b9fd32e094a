"""Included Graphs side by side: functions, attributes and dims apart."""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
from builder.including import (
    around,
    two_of_a_name,
)
from sample_specs import function, spec

import blox as bx
from blox.schema import Graph


def test_two_models_of_equal_names_lie_side_by_side(tmp_path: Path) -> None:
    left, right = two_of_a_name()
    b = bx.GraphBuilder("both")
    one, two = b.include(left, name="one"), b.include(right, name="two")

    @b.entry(
        a=bx.Input(["batch", "short", b.one_width]),
        b=bx.Input(["batch", "seq", b.two_width]),
    )
    def main(f: bx.F, a: bx.Value, b: bx.Value) -> dict[str, bx.Value]:
        return {"a": f.call("left", one.main)(a), "b": f.call("right", two.main)(b)}

    graph = b.graph(license="MIT")
    assert graph.attributes == {"one_width": 8, "two_width": 16}
    assert graph.plain()["dims"] == {
        "short": {"max": "$one_width"},
        "seq": {"max": "$two_width"},
    }
    assert list(graph.functions) == [
        "main", "one_main", "one_layer", "two_main", "two_layer",
    ]  # fmt: skip
    assert graph.metadata.license == "MIT"
    assert graph.metadata.extra == {
        "one.license": "L8", "one.authors": "A, B", "one.k": [{"n": 8}],
        "two.license": "L16", "two.authors": "A, B", "two.k": [{"n": 16}],
    }  # fmt: skip
    keys = jax.random.split(jax.random.key(0))
    own = bx.init(left, keys[0]), bx.init(right, keys[1])
    params = bx.merge(
        bx.init(graph, jax.random.key(1)), {"left": own[0], "right": own[1]}
    )
    bx.save(tmp_path / "both", graph, params)
    assert bx.validate(tmp_path / "both").ok
    graph, params = bx.load(tmp_path / "both")
    x, y = jnp.ones((2, 3, 8)), jnp.ones((2, 5, 16))
    found, _ = bx.build(graph)(params, x, y)
    assert jnp.array_equal(found["a"], bx.build(left)(own[0], x)[0])
    assert jnp.array_equal(found["b"], bx.build(right)(own[1], y)[0])


def test_one_model_twice_shares_functions_and_parameters_as_is_said() -> None:
    model, _ = two_of_a_name()
    b = bx.GraphBuilder("twins")
    base, other = b.include(model), b.include(model, name="other", width=4)

    @b.entry(x=bx.Input(["batch", "seq", b.enc_width]), y=bx.Input(["batch", "seq", 4]))
    def main(f: bx.F, x: bx.Value, y: bx.Value) -> list[bx.Value]:
        a = f.call("a", base.main)(x)
        again = f.call("again", base.main, params="a")(x)
        c = f.call("c", base.main)(x)
        return [a + again + c, f.call("d", other.main)(y)]

    graph = b.graph()
    assert list(graph.functions) == [
        "main", "enc_main", "enc_layer", "other_main", "other_layer",
    ]  # fmt: skip
    assert [*graph.program().tree] == ["a", "c", "d"]
    assert graph.program().leaves()["d.h.up.kernel"].full_shape == (2, 4, 4)


def test_an_attribute_may_follow_one_of_the_caller() -> None:
    model, _ = two_of_a_name()
    b = bx.GraphBuilder("outer", size=6)
    base = b.include(model, width=2 * b.size)
    assert base.attributes["width"] == 12

    @b.entry(x=bx.Input(["batch", "seq", 2 * b.size]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return f.call("enc", base.main)(x)

    graph = b.graph()
    assert graph.attributes == {"size": 6}
    assert graph.plain()["dims"] == {"seq": {"max": "$2 * size"}}
    leaves = graph.replace_attributes(size=8).program().leaves()
    assert leaves["enc.h.up.kernel"].full_shape == (2, 16, 16)


def test_names_of_the_caller_do_not_reach_inside() -> None:
    """An attribute of the caller that is named as a dim or an attribute of a function."""
    inner = spec(
        {"c": {"op": "call", "function": "g", "inputs": {"x": "x"},
               "attributes": {"heads": 2}},
         "d": {"op": "call", "function": "g", "inputs": {"x": "x"},
               "attributes": {"heads": 4}}},
        "d",
        inputs={"x": {"shape": ["batch", "seq", 8], "dtype": "float"}},
        functions={"g": function(
            {"r": {"op": "reshape", "x": "x", "shape": ["$batch", "$seq", "$heads", -1]},
             "s": {"op": "reshape", "x": "r", "shape": ["$batch", "$seq", 8]}},
            "s", {"x": {"shape": ["batch", "seq", "$4 * heads // heads * 2"]}},
            attributes=["heads"])},
    )  # fmt: skip
    b = bx.GraphBuilder("outer", seq=3, heads=5, batch=1)
    base = b.include(Graph.parse(inner), name="inner")

    @b.entry(x=bx.Input(["n", "m", 8]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return f.call("call", base.main)(x)

    graph = b.graph()
    assert graph.functions["inner_g"].attributes == ["heads_2"]
    shape = graph.functions["inner_g"].inputs["x"].shape
    assert shape == ["batch_size", "seq_size", "$2 * (4 * heads_2 // heads_2)"]
    x = jnp.arange(48.0).reshape(2, 3, 8)
    assert jnp.array_equal(bx.build(graph)({}, x)[0], x)


def test_graphs_that_include_others_are_included() -> None:
    model, _ = two_of_a_name()
    b = bx.GraphBuilder("middle")
    base = b.include(model)

    @b.entry(x=bx.Input(["batch", "time", b.enc_width]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return f.call("enc", base.main)(x)

    outer = around(b.graph(license="M"), "main")
    assert outer.metadata.extra == {
        "inner.license": "M",
        "inner.enc.license": "L8", "inner.enc.authors": "A, B", "inner.enc.k": [{"n": 8}],
    }  # fmt: skip
    assert [*outer.functions] == [
        "main", "inner_main", "inner_enc_main", "inner_enc_layer",
    ]  # fmt: skip
