"""int8 and back by `bx.edit`: the numbers, the error, the same Graph again."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from generated_files import executed
from hf.checkpoints import imported

import blox as bx
from blox.mapping.layouts import Merge, Quantize
from blox.runtime.given import flat
from blox.schema.ops.quantization import Dequantize
from blox.surgery.edit import Edit

IDS = jnp.asarray(np.random.default_rng(0).integers(1, 48, (3, 5)), "int32")


@cache
def small() -> tuple[Edit, Any]:
    graph, params = imported()
    edit = bx.edit(graph).quantize()
    return edit, edit.carry_over(params)


def embedded(graph: bx.Graph, params: Any) -> Any:
    return jax.jit(bx.build(graph, "sentence_embedding"))(params, IDS)[0]


def by_hand(array: Any, axes: Any) -> tuple[Any, Any]:
    """Symmetric int8 as the papers have it, one number after another."""
    scale = np.abs(array).max(axes, keepdims=True) / np.float32(127)
    scale[scale == 0] = 1
    return np.round(array / scale).astype("int8"), scale


def test_every_kernel_and_table_is_int8_and_nothing_else() -> None:
    graph, params = imported()
    edit, found = small()
    old, new = dict(flat(params)), dict(flat(found))
    leaves = edit.graph.program().leaves()
    for path, array in old.items():
        if path.rpartition(".")[2] not in ("kernel", "embedding"):
            assert new[path] is array
            continue
        axes = -2 if path.endswith("kernel") else -1
        values, scale = by_hand(np.asarray(array), axes)
        assert np.array_equal(new[f"{path}.values"], values)
        assert np.array_equal(new[f"{path}.scale"], scale)
        assert not leaves[f"{path}.values"].trainable
        assert not leaves[f"{path}.scale"].trainable
    assert not edit.plan.new
    assert not edit.plan.dropped
    cosine = jnp.sum(embedded(graph, params) * embedded(edit.graph, found), -1)
    assert 1 - 1e-3 < cosine.min() < 1 - 1e-7


def test_the_error_is_told() -> None:
    _, params = imported()
    edit, found = small()
    old, new = dict(flat(params)), dict(flat(found))
    rows = edit.roundings(params)
    assert len(rows) == len(edit.plan.changed) / 2
    for row in rows:
        exact, back = (
            old[row.path],
            new[f"{row.path}.values"] * new[f"{row.path}.scale"],
        )
        assert row.largest == pytest.approx(
            float(jnp.abs(exact - back).max()), rel=1e-4
        )
        relative = jnp.linalg.norm(exact - back) / jnp.linalg.norm(exact)
        assert row.relative == pytest.approx(float(relative), rel=1e-3)
        assert row.largest <= new[f"{row.path}.scale"].max() * 0.50001
    lines = str(rows).splitlines()
    assert lines[0].split() == ["int8", "largest", "error", "relative"]
    assert lines[1].split()[0] == "word.embedding"
    assert bx.edit(edit.graph).roundings(found) == ()


@pytest.mark.parametrize("largest", [1e-7, 1.1e-5, 6e4])
def test_small_numbers_of_float16_stay(largest: float) -> None:
    """Scales are numbers of float16 too, of which the least is 6e-8."""
    exact = np.linspace(-largest, largest, 12).reshape(3, 4).astype("float16")
    values, scale = Quantize((-2,)).forward([exact])
    assert scale.dtype == exact.dtype
    error = values * scale.astype("float64") - exact
    assert np.abs(error).max() <= max(0.0051 * largest, 6e-8)


def test_errors_of_the_largest_and_the_least_numbers() -> None:
    graph, _ = imported()
    edit = bx.edit(graph).quantize("main.pooler")
    params = bx.init(graph, jax.random.key(0))
    kernel = params["pooler"]["kernel"]
    (wanted,) = edit.roundings(params)
    for size in (2.0**125, 2.0**-100):
        other = {**params, "pooler": {**params["pooler"], "kernel": kernel * size}}
        (row,) = edit.roundings(other)
        assert row.relative == pytest.approx(wanted.relative, rel=1e-5)


def test_back_it_is_the_same_graph_and_values_times_scale() -> None:
    graph, _ = imported()
    edit, found = small()
    back = bx.edit(edit.graph).dequantize()
    assert back.graph == graph
    arrays, new = dict(flat(found)), dict(flat(back.carry_over(found)))
    assert new.keys() == graph.program().leaves().keys()
    for path, array in new.items():
        if path in arrays:
            assert array is arrays[path]
        else:
            exact = np.asarray(arrays[f"{path}.values"], "float32")
            assert np.array_equal(array, exact * arrays[f"{path}.scale"])
    assert jnp.allclose(
        embedded(graph, back.carry_over(found)), embedded(edit.graph, found), atol=1e-6
    )


def test_some_of_it_by_the_names_of_nodes_that_read_it() -> None:
    edit, _ = small()
    back = bx.edit(edit.graph).dequantize("*.query", "main.word")
    found = [row.new for row in back.plan.changed]
    assert found == ["word.embedding", "encoder.attention.query.kernel"]
    assert "encoder.up.kernel.values" in back.graph.program().leaves()


def test_saved_loaded_and_generated(tmp_path: Path) -> None:
    edit, params = small()
    bx.save(tmp_path / "small", edit.graph, params)
    assert bx.validate(tmp_path / "small").ok
    graph, params = bx.load(tmp_path / "small")
    assert graph == edit.graph
    source = executed(bx.generate(graph))
    loaded = source["load_params"](tmp_path / "small")
    written = jax.jit(source["sentence_embedding"])(loaded, IDS)
    assert jnp.array_equal(written, embedded(graph, params))


def test_lora_on_int8_is_what_trains() -> None:
    edit, params = small()
    tuned = bx.edit(edit.graph).lora("*.query")
    params = tuned.carry_over(params, jax.random.key(0))
    trainable, rest = bx.split(tuned.graph, params)
    model = bx.build(tuned.graph, "sentence_embedding")

    @jax.jit
    @jax.grad
    def gradient(trainable: Any) -> Any:
        return model(bx.merge(trainable, rest), IDS)[0][:, 0].mean()

    grads = gradient(trainable)
    found = {path.rpartition(".")[2]: array for path, array in flat(grads)}
    assert found.keys() == {"a", "b"}
    assert jnp.abs(found["b"]).max() > 0
    with pytest.raises(bx.SpecError, match=r"attention.query: .* dequantize first"):
        bx.edit(tuned.graph).merge_lora()
    back = bx.edit(tuned.graph).dequantize().merge_lora()
    assert (
        back.graph.program().leaves().keys() == imported()[0].program().leaves().keys()
    )


def test_hard_numbers() -> None:
    array = np.array([[0, 2.5, -254, 1], [0, 0.5, 1, 1]], np.float32)
    values, scale = Quantize((-2,)).forward([array])
    assert scale.tolist() == [[1, np.float32(2.5) / 127, 2, np.float32(1) / 127]]
    assert values.tolist() == [[0, 127, -127, 127], [0, 25, 0, 127]]
    ties, _ = Quantize((-1,)).forward([np.array([127, 0.5, 1.5, -2.5], np.float32)])
    assert ties.tolist() == [127, 0, 2, -2]
    values, scale = Quantize((-1,)).forward(
        [np.asarray(jnp.array([3.0, 1.0], "bfloat16"))]
    )
    assert scale.dtype == jnp.bfloat16
    assert values.dtype == np.int8
    graph, params = imported()
    bad = {
        **params,
        "pooler": {**params["pooler"], "kernel": jnp.full((16, 16), jnp.nan)},
    }
    with pytest.raises(bx.ModelError, match=r"pooler\.kernel: expected finite numbers"):
        bx.edit(graph).quantize("*.pooler").carry_over(bad)
    with pytest.raises(bx.ModelError, match=r"pooler\.kernel: expected finite numbers"):
        bx.edit(graph).quantize("*.pooler").roundings(bad)


def test_rules_make_the_same_int8_and_merge_the_same_lora() -> None:
    graph, params = imported()
    edit = bx.edit(graph).quantize("*.pooler")
    names = [bx.Rule("**", "**")]
    own = bx.Rule(
        ("pooler.kernel.values", "pooler.kernel.scale"),
        "pooler.kernel",
        Quantize((-2,)),
    )
    found = bx.map_params(edit.graph, params, [own, *names])
    assert jax.tree.all(jax.tree.map(jnp.array_equal, found, edit.carry_over(params)))
    tuned = bx.edit(graph).lora("*.pooler", rank=2, alpha=3)
    draw = np.random.default_rng(0)
    low = {"a": draw.normal(size=(16, 2)), "b": draw.normal(size=(2, 16))}
    given = {
        **params,
        "pooler_lora": {n: jnp.asarray(a, "float32") for n, a in low.items()},
    }
    parts = ("pooler.kernel", "pooler_lora.a", "pooler_lora.b")
    merged = bx.map_params(
        graph, given, [bx.Rule(parts[0], parts, Merge(2, 3.0)), *names]
    )
    wanted = bx.edit(tuned.graph).merge_lora().carry_over(given)
    assert jax.tree.all(jax.tree.map(jnp.array_equal, merged, wanted))


Write = Callable[[bx.F, bx.Value, bx.GraphBuilder], bx.Value]
OPS: dict[str, tuple[Write, dict[str, list[Any]]]] = {
    "conv": (
        lambda f, x, b: f.conv("n", x, b.width, [3], groups=2),
        {"n.kernel": [1, 1, "$width"]},
    ),
    "conv_transpose": (
        lambda f, x, b: f.conv_transpose("n", x, 6, [3, 3], strides=2),
        {"n.kernel": [1, 1, 1, 6]},
    ),
    "einsum_linear": (
        lambda f, x, b: f.einsum_linear("n", x, "...gd,gdf->...gf", [3, b.width, 5]),
        {"n.kernel": [3, 1, 5]},
    ),
    "expert_linear": (
        lambda f, x, b: f.expert_linear("n", x, f.constant([[[0, 2, 1]]]), 3, b.width),
        {"n.kernel": [3, 1, "$width"]},
    ),
    "bilinear": (lambda f, x, b: f.bilinear("n", x, x, 6), {"n.kernel": [1, 1, 6]}),
    "lstm": (
        lambda f, x, b: f.lstm_cell("n", x, x, x, units=b.width)[0],
        {"n.kernel": [1, "$4 * width"], "n.recurrent_kernel": [1, "$4 * width"]},
    ),
}


@pytest.mark.parametrize("op", OPS)
def test_all_ops_that_have_kernels(op: str) -> None:
    write, wanted = OPS[op]
    b = bx.GraphBuilder("one", width=4)

    @b.entry(x=bx.Input([2, 3, 3, 4]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return write(f, x, b)

    graph = b.graph()
    params = bx.init(graph, jax.random.key(0))
    edit = bx.edit(graph).quantize()
    nodes = [n for fn in edit.graph.functions.values() for n in fn.nodes.values()]
    found = [n.scale_shape for n in nodes if isinstance(n, Dequantize)]
    assert found == list(wanted.values())
    assert bx.edit(edit.graph).dequantize().graph == graph
    x = jax.random.normal(jax.random.key(1), (2, 3, 3, 4))
    exact, _ = bx.build(graph)(params, x)
    y, _ = bx.build(edit.graph)(edit.carry_over(params), x)
    assert jnp.abs(y - exact).max() < 0.03 * jnp.abs(exact).max()


def tied(other: str) -> bx.Graph:
    b = bx.GraphBuilder("tied", vocab=7)

    def head(f: bx.F, x: bx.Value) -> bx.Value:
        if other == "linear":
            return f.linear("scores", x, 4, in_features=7, use_bias=False, params="w")
        return f.unembed("scores", x, params="table")

    @b.entry(ids=bx.Input(["batch"], "int32"))
    def main(f: bx.F, ids: bx.Value) -> bx.Value:
        x = f.embed("table", ids, b.vocab, 4)
        if other == "param":
            return x + f.param("table_embedding", [4])
        if other == "linear":
            x = f.linear("up", x, 7, use_bias=False, params="w.down")
        return f.call("head", head, params=".")(x)

    return b.graph()


def test_a_tied_table_is_int8_for_all_and_back() -> None:
    graph = tied("unembed")
    for glob in ("main.table", "*.scores"):
        edit = bx.edit(graph).quantize(glob)
        head = edit.graph.functions["head"].nodes["scores_embedding"]
        assert isinstance(head, Dequantize)
        assert head.shape == ["$vocab", 4]
        assert list(edit.graph.program().leaves()) == [
            "table.embedding.values",
            "table.embedding.scale",
        ]
        assert bx.edit(edit.graph).dequantize("*.scores").graph == graph


def test_a_name_that_is_taken_gets_a_number() -> None:
    edit = bx.edit(tied("param")).quantize()
    assert "table_embedding_2" in edit.graph.functions["main"].nodes


def test_what_reads_it_otherwise_reads_a_param() -> None:
    b = bx.GraphBuilder("read")

    @b.entry(x=bx.Input(["batch", 4]))
    def main(f: bx.F, x: bx.Value) -> dict[str, bx.Value]:
        kernel = f.dequantize("packed", [4, 3], [1, 3], params="up.kernel")
        return {"y": f.linear("up", x, 3, kernel=kernel), "kernel": kernel}

    graph = b.graph()
    params = bx.init(graph, jax.random.key(0))
    edit = bx.edit(graph).dequantize()
    assert edit.graph.functions["main"].nodes["packed"].op == "param"
    assert [*edit.graph.program().leaves()] == ["up.kernel", "up.bias"]
    x = jnp.ones((2, 4))
    found, _ = bx.build(edit.graph)(edit.carry_over(params), x)
    wanted, _ = bx.build(graph)(params, x)
    assert jax.tree.all(jax.tree.map(jnp.array_equal, found, wanted))


def test_what_can_not_be_is_refused() -> None:
    b = bx.GraphBuilder("alike")

    @b.entry(ids=bx.Input(["batch"], "int32"))
    def main(f: bx.F, ids: bx.Value) -> bx.Value:
        x = f.embed("table", ids, 4, 4)
        table = f.param("own", [4, 4], params="table.embedding")
        return x @ table

    with pytest.raises(
        bx.SpecError, match=r"main.table \(embed\) and main.own \(param\)"
    ):
        bx.edit(b.graph()).quantize()
    graph, _ = imported()
    with pytest.raises(
        bx.SpecError, match=r"nodes whose arrays may be quantised \(main"
    ):
        bx.edit(graph).quantize("*norm")
    with pytest.raises(
        bx.SpecError, match=r"int8 arrays \(there are none\), found '\*'"
    ):
        bx.edit(graph).dequantize()
