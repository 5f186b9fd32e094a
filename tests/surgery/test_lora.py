"""LoRA by `bx.edit`: trained alone, folded in, gone without a trace."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from generated_files import executed
from hf.checkpoints import imported

import blox as bx
from blox.runtime.given import flat
from blox.surgery.edit import Edit

GLOBS = ("*.query", "*.value")
IDS = jnp.asarray(np.random.default_rng(0).integers(1, 48, (3, 5)), "int32")


@cache
def tuned() -> tuple[Edit, Any]:
    """tiny BERT with LoRA, and Params in which it does something."""
    graph, params = imported()
    edit = bx.edit(graph).lora(*GLOBS, rank=3, alpha=6)
    found = dict(flat(edit.carry_over(params, jax.random.key(1))))
    for path in found:
        if path.endswith("_lora.b"):
            found[path] = jax.random.normal(jax.random.key(2), found[path].shape) / 9
    return edit, bx.init(edit.graph, jax.random.key(0), given=found)


def embedded(graph: bx.Graph, params: Any) -> Any:
    return jax.jit(bx.build(graph, "sentence_embedding"))(params, IDS)[0]


def test_lora_changes_nothing_at_first_and_is_what_is_new() -> None:
    graph, params = imported()
    edit = bx.edit(graph).lora(*GLOBS, rank=3)
    new = [array.path for array in edit.plan.new]
    at = "encoder.attention"
    assert new == [f"{at}.{n}_lora.{x}" for n in ("query", "value") for x in "ab"]
    assert not edit.plan.changed
    assert not edit.plan.dropped
    found = edit.carry_over(params, jax.random.key(1))
    assert found["encoder"]["attention"]["query_lora"]["a"].shape == (3, 16, 3)
    assert jnp.array_equal(embedded(edit.graph, found), embedded(graph, params))


def test_training_trains_lora_alone() -> None:
    edit, params = tuned()
    trainable, rest = bx.split(edit.graph, params)
    assert {path.split(".")[-2] for path, _ in flat(trainable)} == {
        "query_lora",
        "value_lora",
    }
    model = bx.build(edit.graph, "sentence_embedding")
    optimizer = optax.adam(0.1)

    @jax.jit
    def step(trainable: Any, state: Any) -> Any:
        def loss(trainable: Any) -> Any:
            return -model(bx.merge(trainable, rest), IDS)[0][:, 0].mean()

        value, grads = jax.value_and_grad(loss)(trainable)
        updates, state = optimizer.update(grads, state)
        return optax.apply_updates(trainable, updates), state, value

    state, losses = optimizer.init(trainable), []
    for _ in range(3):
        trainable, state, value = step(trainable, state)
        losses.append(float(value))
    assert losses[2] < losses[0]
    old, new = dict(flat(params)), dict(flat(bx.merge(trainable, rest)))
    assert old.keys() == new.keys()
    for path, array in old.items():
        assert jnp.array_equal(new[path], array) == ("_lora." not in path)


def test_merged_it_gives_the_same_and_is_the_graph_without() -> None:
    edit, params = tuned()
    graph, base = imported()
    merged = bx.edit(edit.graph).merge_lora()
    found = merged.carry_over(params)
    assert not merged.plan.dropped
    assert [c.new for c in merged.plan.changed] == [
        f"encoder.attention.{name}.kernel" for name in ("query", "value")
    ]
    wanted = embedded(edit.graph, params)
    assert not jnp.allclose(wanted, embedded(graph, base), atol=1e-3)
    assert jnp.allclose(embedded(merged.graph, found), wanted, atol=1e-6)
    # peft's formula, of arrays with the outputs in front
    old = base["encoder"]["attention"]["query"]["kernel"]
    own = params["encoder"]["attention"]["query_lora"]
    delta = np.einsum("nri,nor->noi", own["a"].mT, own["b"].mT) * (6 / 3)
    weight = old.mT + delta
    kernel = found["encoder"]["attention"]["query"]["kernel"]
    assert jnp.allclose(kernel.mT, weight, atol=1e-6)
    free = bx.edit(graph).lora(*GLOBS, freeze=False).merge_lora()
    assert free.graph == graph


def test_what_is_merged_keeps_its_type() -> None:
    graph, params = imported()
    small = jax.tree.map(lambda x: x.astype("bfloat16"), params)
    merged = bx.edit(graph).lora(*GLOBS).merge_lora()
    found = merged.carry_over(small, jax.random.key(0))
    new = dict(flat(found))
    for path, old in flat(small):
        assert new[path].dtype == jnp.bfloat16
        assert jnp.array_equal(old, new[path])  # b is 0 yet


@pytest.mark.slow
def test_saved_loaded_and_generated(tmp_path: Path) -> None:
    edit, params = tuned()
    bx.save(tmp_path / "tuned", edit.graph, params)
    assert bx.validate(tmp_path / "tuned").ok
    graph, params = bx.load(tmp_path / "tuned")
    assert graph == edit.graph
    source = executed(bx.generate(graph))
    loaded = source["load_params"](tmp_path / "tuned")
    written = jax.jit(source["sentence_embedding"])(loaded, IDS)
    assert jnp.array_equal(written, embedded(graph, params))


def copies(scan: bool, calls: int = 1, params: str | None = None) -> bx.Graph:
    """Layers that lie as the options say."""
    b = bx.GraphBuilder("copies", width=4)

    def layer(f: bx.F, x: bx.Value) -> bx.Value:
        return f.tanh(f.linear("up", x, b.width, params=params))

    @b.entry(x=bx.Input(["batch", 4]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        for i in range(calls):
            x = f.repeat(f"h{i}", layer, count=2, scan=scan, params="h")(x)
        return x

    return b.graph()


@pytest.mark.parametrize(
    ("graph", "where"),
    [
        (copies(True), "h.up_lora.a"),
        (copies(False, 2), "h.1.up_lora.a"),
        (copies(True, 2, "inner"), "h.inner.lora.a"),
        pytest.param(copies(True, 1, "."), "h.lora.a", marks=pytest.mark.slow),
    ],
)
def test_wherever_copies_lie(graph: bx.Graph, where: str) -> None:
    # The second one lies behind the first.
    edit = bx.edit(graph).lora("layer.*", rank=2).lora("*.up", rank=1, alpha=3)
    assert where in edit.graph.program().leaves()
    drawn = bx.init(edit.graph, jax.random.key(0))
    params = jax.tree.map(
        lambda x: x + jax.random.normal(jax.random.key(1), x.shape) / 4, drawn
    )
    merged = bx.edit(edit.graph).merge_lora()
    assert merged.graph.program().leaves().keys() == graph.program().leaves().keys()
    x = jnp.linspace(-1, 1, 8).reshape(2, 4)
    wanted, _ = bx.build(edit.graph)(params, x)
    found, _ = bx.build(merged.graph)(merged.carry_over(params), x)
    assert jnp.allclose(found, wanted, atol=1e-5)


def odd(kind: str) -> bx.Graph:
    b = bx.GraphBuilder("odd")

    @b.entry(x=bx.Input(["batch", 4]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        y = f.linear("up", x, 4)
        if kind == "y":
            return f.lora("low", f.tanh(y), x, 2, 1.0)
        if kind == "x":
            return f.lora("low", y, f.tanh(x), 2, 1.0)
        if kind == "kernel":
            z = f.linear("again", x, 4, kernel=f.param("own", [4, 4]))
            return f.lora("low", z, x, 2, 1.0) + y
        low = f.lora("low", y, x, 2, 1.0)
        if kind == "shared":
            return low + f.linear("more", x, 4, params="up")
        if kind == "two":
            more = f.linear("more", x, 4, params="up")
            return low + f.lora("other", more, x, 2, 1.0)
        return low + y

    return b.graph()


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("y", "main.low.y: expected what a linear gives, found 'tanh_1'"),
        ("x", "main.low.x: expected the x of up, 'x', found 'tanh_1'"),
        ("kernel", "main.again: expected arrays that the nodes have themselves, found"),
        (
            "shared",
            "up.kernel: expected LoRA behind every node that has this array, fo",
        ),
        (
            "two",
            "up.kernel: expected one LoRA for all that use this array, found main.",
        ),
        ("read", "main.low: expected to be all that reads up, found others"),
    ],
)
def test_what_no_kernel_can_take_in_is_refused(kind: str, says: str) -> None:
    with pytest.raises(bx.SpecError) as caught:
        bx.edit(odd(kind)).merge_lora()
    assert says in str(caught.value)


def test_globs_that_match_no_linear_are_refused() -> None:
    graph, _ = imported()
    with pytest.raises(
        bx.SpecError, match=r"linear nodes \(main.pooler, layer.up, .*qua"
    ):
        bx.edit(graph).lora("*.quary")
    with pytest.raises(bx.SpecError, match="expected a node lora behind a linear, fo"):
        bx.edit(graph).merge_lora()


@pytest.mark.parametrize(
    ("glob", "meant"),
    [
        ("encoder.attention.query", "attention.query"),
        ("encoder.up", "layer.up"),
        ("attention.qery", "attention.query"),
    ],
)
def test_a_path_where_a_function_and_a_node_are_asked_for(
    glob: str, meant: str
) -> None:
    graph, _ = imported()
    with pytest.raises(bx.SpecError) as error:
        bx.edit(graph).lora(glob)
    assert str(error.value).endswith(f"found '{glob}'; did you mean {meant}?")


@pytest.mark.parametrize("name", ["lora", "quantize", "freeze", "remove", "dequantize"])
def test_a_list_where_globs_go_one_by_one(name: str) -> None:
    edit = bx.edit(imported()[0])
    with pytest.raises(
        bx.SpecError, match=r"expected globs as texts, found \['\*'\]; one"
    ):
        getattr(edit, name)(["*"])
