"""Another Graph in one that is written: the same program, its bounds held, names apart."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jaxprs import assert_same_jaxpr
from random_programs import program
from sample_specs import function, spec

import blox as bx
from blox.schema import Graph, from_bytes

MODELS = Path(__file__).parents[1] / "models"
TOKENS = bx.Input(["batch", "seq"], "int32")


def graph_of(name: str) -> Graph:
    return from_bytes((MODELS / f"{name}.json").read_bytes())


ENTRIES = [
    (path.stem, entry)
    for path in sorted(MODELS.glob("*.json"))
    for entry in graph_of(path.stem).entries
]


def around(graph: Graph, entry: str) -> Graph:
    """A Graph that does nothing but call an entry of another, with its parameters."""
    b = bx.GraphBuilder("outer")
    base = b.include(graph, name="inner")
    declared = graph.functions[entry].inputs

    def size(given: Any) -> Any:
        named = isinstance(given, str) and given.startswith("$")
        own = "|".join(graph.attributes)
        return re.sub(rf"\b({own})\b", r"inner_\1", given) if named else given

    inputs = {
        name: bx.Input([size(s) for s in i.shape or []], i.dtype or "float", i.optional)
        for name, i in declared.items()
    }
    names = ", ".join(n + "=None" * i.optional for n, i in declared.items())
    passed = ", ".join(f"{n}={n}" for n in declared)
    scope: dict[str, Any] = {"called": base[entry]}
    exec(  # a function of just these inputs
        f"def main(f, {names}):\n"
        f"    found = f.call('call', called, params='.')({passed})\n"
        "    return getattr(found, '_asdict', lambda: found)()",
        scope,
    )
    b.entry(scope["main"], **inputs)
    return b.graph()


def shapes_of(graph: Graph) -> Any:
    return jax.eval_shape(lambda: bx.init(graph, jax.random.key(0)))


def traced(graph: Graph, entry: str, arrays: dict[str, Any]) -> Any:
    params = shapes_of(graph)

    def run(params: Any, arrays: dict[str, Any]) -> Any:
        outputs, state = bx.build(graph, entry)(params, **arrays)
        return jax.tree.leaves(outputs), state

    return jax.make_jaxpr(run)(params, arrays)


def arrays_of(graph: Graph, entry: str) -> dict[str, Any]:
    """Inputs of an entry, each dim of a size that fits."""
    instance = graph.program().entries[entry]
    sizes: dict[str, Any] = dict(graph.attributes)
    found = {}
    for name, given in instance.function.inputs.items():
        shape = []
        for size in given.shape or []:
            if isinstance(size, str) and size.startswith("$"):
                size = eval(size[1:], {}, sizes)
            shape.append(size if isinstance(size, int) else sizes.setdefault(size, 8))
        if given.dtype == "key":
            found[name] = jax.random.key(0)
        else:
            dtype = "float32" if given.dtype == "float" else given.dtype
            found[name] = jnp.zeros(shape, dtype)
    return found


@pytest.mark.parametrize(("name", "entry"), ENTRIES)
def test_it_is_the_same_program(name: str, entry: str) -> None:
    graph = graph_of(name)
    outer = around(graph, entry)
    reached = set(graph.program().entries[entry].tree)
    assert set(outer.program().tree) == reached
    own = graph.program().leaves()
    for path, leaf in outer.program().leaves().items():
        assert leaf == own[path]
    arrays = arrays_of(graph, entry)
    a, b = traced(graph, entry, arrays), traced(outer, "main", arrays)
    assert len(a.jaxpr.invars) == len(b.jaxpr.invars)
    assert_same_jaxpr(a, b)


def names_restored(outer: Graph) -> dict[str, Any]:
    found = outer.plain()["functions"]
    text = repr({n: f for n, f in found.items() if n != "main"})
    functions: dict[str, Any] = eval(text.replace("inner_", ""))
    return functions


@pytest.mark.parametrize("seed", [*range(6)])
def test_what_the_builder_wrote_is_written_again(seed: int) -> None:
    graph = program(seed)()
    written = names_restored(around(graph, "main"))
    assert written == {
        n: f for n, f in graph.plain()["functions"].items() if n in written
    }


def test_a_written_model_is_written_again() -> None:
    graph = graph_of("tiny_gpt")
    outer = around(graph, "step")
    assert names_restored(outer) == {
        n: f for n, f in graph.plain()["functions"].items() if n != "main"
    }
    assert outer.plain()["dims"] == {
        "seq": {"max": "$inner_context"},
        "cached": {"max": "$inner_context"},
    }
    assert outer.constraints == ["cached >= seq"]


# Bounds ----------------------------------------------------------------------------


def gpt_with(
    write: Callable[[Any, bx.F, bx.Value], bx.Value],
    shape: list[Any],
    before: Callable[[bx.GraphBuilder], None] = lambda b: None,
) -> Graph:
    b = bx.GraphBuilder("outer")
    base = b.include(graph_of("tiny_gpt"), name="gpt")
    before(b)
    b.entry(lambda_named(lambda f, x: write(base, f, x)), x=bx.Input(shape, "int32"))
    return b.graph()


def lambda_named(function: Callable[..., Any]) -> Callable[..., Any]:
    function.__name__ = "main"
    return function


def called(base: Any, f: bx.F, x: bx.Value) -> bx.Value:
    made: bx.Value = f.call("model", base.main)(x)
    return made


def test_a_bound_moves_to_the_dim_of_the_caller() -> None:
    graph = gpt_with(called, ["batch", "length"])
    assert graph.plain()["dims"] == {"length": {"max": "$gpt_context"}}
    model = bx.build(graph)
    params = shapes_of(graph)
    jax.eval_shape(model, params, jnp.zeros((1, 16), "int32"))
    with pytest.raises(
        bx.ModelError, match=r"main.length: expected at most 16, found 17"
    ):
        jax.eval_shape(model, params, jnp.zeros((1, 17), "int32"))
    smaller = graph.replace_attributes(gpt_context=4)
    with pytest.raises(bx.ModelError, match=r"expected at most 4, found 5"):
        jax.eval_shape(bx.build(smaller), params, jnp.zeros((1, 5), "int32"))


def test_a_bound_that_is_proven_asks_for_nothing() -> None:
    graph = gpt_with(called, ["batch", "seq"], lambda b: b.dim("seq", max=9))
    assert graph.plain()["dims"] == {"seq": {"max": 9}}


def test_a_size_that_is_calculated_is_constrained() -> None:
    def twice(base: Any, f: bx.F, x: bx.Value) -> bx.Value:
        return called(base, f, f.concatenate([x, x], axis=1))

    graph = gpt_with(twice, ["batch", "seq"])
    assert graph.constraints == ["2 * seq <= gpt_context"]
    with pytest.raises(bx.ModelError, match=r"expected 2 \* seq <= gpt_context"):
        jax.eval_shape(bx.build(graph), shapes_of(graph), jnp.zeros((1, 9), "int32"))


def test_a_size_of_the_graph_is_constrained() -> None:
    b = bx.GraphBuilder("outer", length=8)
    base = b.include(graph_of("tiny_gpt"), name="gpt")

    @b.entry(x=bx.Input(["batch", b.length], "int32"))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return called(base, f, x)

    graph = b.graph()
    assert graph.constraints == ["length <= gpt_context"]
    with pytest.raises(bx.SpecError, match="length <= gpt_context"):
        graph.replace_attributes(length=17)


def test_a_size_that_does_not_fit_is_refused_at_the_call() -> None:
    with pytest.raises(
        bx.SpecError,
        match=r"main.model: expected seq at most gpt_context, as gpt.main says, found 17$",
    ):
        gpt_with(called, ["batch", 17])


def test_bounds_that_conflict_are_named() -> None:
    with pytest.raises(
        bx.SpecError,
        match=r"dims.seq.max: expected at most gpt_context, as gpt.main takes no other "
        r"sizes, found 99; leave max= of b.dim\('seq'\) out",
    ):
        gpt_with(called, ["batch", "seq"], lambda b: b.dim("seq", max=99))
    with pytest.raises(
        bx.SpecError, match=r"dims.seq: .* found bounds that leave none"
    ):
        gpt_with(called, ["batch", "seq"], lambda b: b.dim("seq", min=17))


def test_an_axis_without_a_name_can_not_be_bounded() -> None:
    with pytest.raises(
        bx.SpecError, match=r"a size for seq that dims of main say.*give"
    ):
        gpt_with(called, ["batch", "_"])


BOUNDED = spec(
    {"relu": {"op": "relu", "x": "x"}},
    inputs={"x": {"shape": ["batch", "n"], "dtype": "float"}},
    dims={"n": {"min": 4, "multiple_of": 4}},
)


def test_multiples_add_up() -> None:
    b = bx.GraphBuilder("outer")
    fours = b.include(Graph.parse(BOUNDED), name="fours")
    sixes = b.include(
        Graph.parse({**BOUNDED, "dims": {"n": {"multiple_of": 6}}}), name="sixes"
    )

    @b.entry(x=bx.Input(["batch", "m"]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return f.call("b", sixes.main)(f.call("a", fours.main)(x))

    graph = b.graph()
    assert graph.plain()["dims"] == {"m": {"min": 4, "multiple_of": 4}}
    assert graph.constraints == ["m % 6 == 0"]
    model = bx.build(graph)
    jax.eval_shape(model, {}, jnp.zeros((1, 12)))
    with pytest.raises(bx.ModelError, match="m % 6 == 0"):
        model({}, jnp.zeros((1, 8)))


def test_bounds_of_nested_calls_move_too() -> None:
    """From a loop in a function of the caller's, and of an entry that an entry calls."""
    b = bx.GraphBuilder("outer")
    base = b.include(graph_of("minilm"), name="bert")

    def one(f: bx.F, ids: bx.Value) -> dict[str, bx.Value]:
        return {"y": f.call("embed", base.sentence_embedding)(ids)}

    @b.entry(ids=bx.Input(["many", "batch", "words"], "int32"))
    def main(f: bx.F, ids: bx.Value) -> bx.Value:
        return f.map("each", one)(bx.slices(ids))["y"]

    assert b.graph().plain()["dims"] == {"words": {"max": "$bert_context"}}


# Names -----------------------------------------------------------------------------


def two_of_a_name() -> tuple[Graph, Graph]:
    def of(width: int) -> Graph:
        b = bx.GraphBuilder("enc", width=width)
        b.dim("seq", max=b.width)

        def layer(f: bx.F, x: bx.Value) -> bx.Value:
            return x + f.linear("up", x, b.width)

        @b.entry(x=bx.Input(["batch", "seq", b.width]))
        def main(f: bx.F, x: bx.Value) -> bx.Value:
            return f.repeat("h", layer, count=2)(x)

        return b.graph(license=f"L{width}", authors=["A", "B"], extra={"k": width})

    return of(8), of(16)


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
        "one.license": "L8", "one.authors": "A, B", "one.k": 8,
        "two.license": "L16", "two.authors": "A, B", "two.k": 16,
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
        "inner.enc.license": "L8", "inner.enc.authors": "A, B", "inner.enc.k": 8,
    }  # fmt: skip
    assert [*outer.functions] == [
        "main", "inner_main", "inner_enc_main", "inner_enc_layer",
    ]  # fmt: skip


# Calls -----------------------------------------------------------------------------


def test_functions_run_in_loops_and_branches_like_ones_own() -> None:
    model, _ = two_of_a_name()
    b = bx.GraphBuilder("outer", n=3)
    base = b.include(model)

    @b.entry(x=bx.Input(["batch", 8]), which=bx.Input([], "int32"))
    def main(f: bx.F, x: bx.Value, which: bx.Value) -> bx.Value:
        x = f.repeat("deep", base.layer, count=b.n)(x)
        x = f.switch("pick", which, [base.layer, base["layer"]])(x)
        return f.map("each", base.layer, count=4)(bx.slices(f.stack([x] * 4)))

    graph = b.graph()
    leaves = {path: leaf.full_shape for path, leaf in graph.program().leaves().items()}
    assert leaves["deep.up.kernel"] == (3, 8, 8)
    assert leaves["pick.branch_1.up.kernel"] == (8, 8)
    assert leaves["each.up.kernel"] == (4, 8, 8)
    params = bx.init(graph, jax.random.key(0))
    x = jnp.ones((2, 8))
    found, _ = bx.build(graph)(params, x, 1)

    def layer(p: Any, x: jax.Array) -> jax.Array:
        made: jax.Array = x + x @ p["up"]["kernel"] + p["up"]["bias"]
        return made

    for i in range(3):
        x = layer(jax.tree.map(lambda a, i=i: a[i], params["deep"]), x)
    x = layer(params["pick"]["branch_1"], x)
    wanted = jax.vmap(layer, (0, None))(params["each"], x)
    assert jnp.allclose(found, wanted, atol=1e-5)


def test_several_outputs_have_names() -> None:
    b = bx.GraphBuilder("outer")
    base = b.include(graph_of("minilm"))

    @b.entry(ids=TOKENS)
    def main(f: bx.F, ids: bx.Value) -> list[bx.Value]:
        out = f.call("encoder", base.main)(ids)
        last, pooled = out
        assert out.last_hidden_state is last is out["last_hidden_state"] is out[0]
        assert repr(pooled) == (
            "Value(main.encoder.pooler_output: float32[batch, 384])"
        )
        with pytest.raises(AttributeError, match="last_hidden_state, pooler_output"):
            _ = out.hidden
        return [last, pooled]


def test_nodes_are_written_around() -> None:
    graph = graph_of("minilm").replace_attributes(vocab=9, width=8, heads=2, hidden=8)

    def lora(f: bx.F, node: bx.Node) -> bx.Value:
        low = f.linear(f"{node.name}_down", node.x, 2, use_bias=False)
        zero = {"kernel": {"name": "zeros"}}
        size = node.out_features
        high = f.linear(f"{node.name}_up", low, size, use_bias=False, init=zero)
        made: bx.Value = node() + high
        return made

    def double(f: bx.F, node: bx.Node) -> bx.Value:
        made: bx.Value = node(x=2 * node.x)
        return made

    b = bx.GraphBuilder("outer")
    base = b.include(graph, around={"attention.query": lora, "*.pooler": double})

    @b.entry(ids=TOKENS)
    def main(f: bx.F, ids: bx.Value) -> list[bx.Value]:
        return [*f.call("m", base.main, params=".")(ids)]

    outer = b.graph()
    own, leaves = graph.program().leaves(), outer.program().leaves()
    added = {p: leaf.full_shape for p, leaf in leaves.items() if p not in own}
    assert added == {
        "encoder.attention.query_down.kernel": (6, 8, 2),
        "encoder.attention.query_up.kernel": (6, 2, 8),
    }
    assert leaves.keys() >= own.keys()
    nodes = outer.plain()["functions"]["minilm_attention"]["nodes"]
    assert nodes["query_up"]["out_features"] == "$minilm_width"
    weights = bx.init(graph, jax.random.key(0))
    params = bx.merge(bx.init(outer, jax.random.key(1)), weights)
    ids = jnp.arange(8).reshape(2, 4)
    outputs, _ = bx.build(outer)(params, ids)
    hidden, pooled = outputs.values()
    wanted, _ = bx.build(graph)(weights, ids)
    assert jnp.allclose(hidden, wanted["last_hidden_state"], atol=1e-6)
    kernel, bias = weights["pooler"]["kernel"], weights["pooler"]["bias"]
    assert jnp.allclose(pooled, jnp.tanh(2 * hidden[:, 0] @ kernel + bias), atol=1e-5)


def test_an_op_with_a_body_stays_one() -> None:
    model = {
        **spec({"r": {"op": "acme:cap", "x": "x", "cap": 2.0}}),
        "ops": {"acme:cap": "cap_of"},
    }
    model["functions"]["cap_of"] = function(
        {"d": {"op": "divide", "a": "x", "b": "$cap"}, "t": {"op": "tanh", "x": "d"},
         "m": {"op": "multiply", "a": "t", "b": "$cap"}},
        "m", attributes=["cap"],
    )  # fmt: skip
    outer = around(Graph.parse(model), "main")
    assert outer.plain()["ops"] == {"acme:cap": "inner_cap_of"}
    assert outer.plain()["functions"]["inner_main"]["nodes"] == {
        "r": {"op": "acme:cap", "x": "x", "cap": 2.0}
    }
    x = jnp.arange(8.0).reshape(1, 8)
    assert jnp.allclose(bx.build(outer)({}, x)[0], 2 * jnp.tanh(x / 2))


# Errors ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("include", "text"),
    [
        ({"name": "a b"}, "include: expected a new name for enc, found 'a b'; b.include"),
        ({"widht": 8}, "include.enc: expected attributes of enc (width), found 'widht'; "
                       "did you mean width?"),
        ({"around": {"layer.upp": len}}, "enc.around: expected a glob over function.node "
         "that matches one of enc, found 'layer.upp'; did you mean layer.up?"),
        ({"around": {"layer.up": 3}}, "enc.around.layer.up: expected a function, found 3"),
    ],
)  # fmt: skip
def test_what_can_not_be_included_is_refused(
    include: dict[str, Any], text: str
) -> None:
    b = bx.GraphBuilder("outer")
    with pytest.raises(bx.SpecError) as caught:
        b.include(two_of_a_name()[0], **include)
    assert text in str(caught.value)


def test_a_name_is_taken_once() -> None:
    b = bx.GraphBuilder("outer")
    left, right = two_of_a_name()
    b.include(left)
    with pytest.raises(
        bx.SpecError, match=r"found that of another; b.include\(graph, na"
    ):
        b.include(right)


def test_no_graph_is_included_behind_an_entry() -> None:
    b = bx.GraphBuilder("outer")
    b.entry(lambda_named(lambda f, x: f.relu(x)), x=bx.Input(["n"]))
    with pytest.raises(
        bx.SpecError, match="expected other Graphs before the first entry"
    ):
        b.include(two_of_a_name()[0])


def test_a_path_is_no_graph() -> None:
    with pytest.raises(TypeError, match=r"bx.load_graph\(path\)"):
        bx.GraphBuilder("outer").include("model")  # type: ignore[arg-type]


def test_functions_are_named_in_errors() -> None:
    base = bx.GraphBuilder("outer").include(two_of_a_name()[0])
    assert dir(base)[-2:] == ["layer", "main"]
    assert list(base) == ["main", "layer"]
    assert repr(base) == "<included enc: main, layer>"
    with pytest.raises(
        AttributeError, match=r"of enc \(main, layer\), found 'mian'; did"
    ):
        _ = base.mian
    with pytest.raises(bx.SpecError, match=r"did you mean layer\?"):
        _ = base["layers"]


@pytest.mark.parametrize(
    ("shape", "dtype", "text"),
    [
        (["batch", "seq", 9], "float", "main.enc.x: expected shape [batch, seq, $width], "
         "found [batch, seq, 9], as enc.main declares it"),
        (["batch", 8], "float", "main.enc.x: expected shape"),
        (["batch", "seq", 8], "int32", "main.enc.x: expected dtype float, found int32"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said_at_the_call(
    shape: list[Any], dtype: str, text: str
) -> None:
    b = bx.GraphBuilder("outer")
    base = b.include(two_of_a_name()[0])
    with pytest.raises(bx.ModelError) as caught:
        b.entry(
            lambda_named(lambda f, x: f.call("enc", base.main)(x)),
            x=bx.Input(shape, dtype),
        )
    assert text in str(caught.value)


def test_wrong_arguments_are_refused() -> None:
    b = bx.GraphBuilder("outer")
    base = b.include(two_of_a_name()[0])
    with pytest.raises(
        bx.SpecError, match=r"enc_main\(f, /, x\), found others: there is"
    ):
        b.entry(
            lambda_named(lambda f, x: f.call("enc", base.main)(x=x, mask=x)),
            x=bx.Input(["batch", "seq", 8]),
        )


def test_a_run_that_is_given_up_leaves_nothing() -> None:
    """An entry that asks for bounds and then fails: the next one is written as first."""
    b = bx.GraphBuilder("outer")
    base = b.include(graph_of("tiny_gpt"), name="gpt")

    def broken(f: bx.F, x: bx.Value) -> bx.Value:
        return f.call("m", base.main)(x) + f.call("n", base.main)(x)[..., :3]

    with pytest.raises(bx.ModelError):
        b.entry(broken, x=bx.Input(["batch", "seq"], "int32"))
    b.entry(
        lambda_named(lambda f, x: f.call("m", base.main)(x)),
        x=bx.Input(["batch", "length"], "int32"),
    )
    graph = b.graph()
    assert next(iter(graph.functions)) == "main"
    assert graph.plain()["dims"] == {"length": {"max": "$gpt_context"}}
