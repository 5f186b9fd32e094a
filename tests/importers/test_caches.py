"""Arrays that a model keeps and that have the batch: inputs, and outputs with `next`."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import blox as bx
from blox.importers.jax.caches import Sizes, with_caches
from blox.importers.jax.frontends.functions import marked_functions
from blox.importers.jax.proven import imported
from blox.importers.jax.source import Source

Tree = Any
RNG = np.random.default_rng(0)
INPUTS = {"x": bx.Input(["batch", 4])}
NEXT: dict[str, Sizes] = {"keys": ["batch", "..."], "place": []}


def array(*shape: int) -> Any:
    return jnp.asarray(RNG.normal(size=shape) * 0.5, jnp.float32)


def layer(p: Tree, x: Any) -> tuple[Any, Any]:
    """Attends to what it saw, and is told how much that is."""
    keys = jax.lax.dynamic_update_slice(p["keys"], x[:, None], (0, p["place"], 0))
    seen = jnp.arange(keys.shape[1]) <= p["place"]
    scores = jnp.where(seen, jnp.einsum("bd,btd->bt", x @ p["w"], keys), -1e9)
    mixed = jnp.einsum("bt,btd->bd", jax.nn.softmax(scores), keys)
    return x + jnp.tanh(mixed @ p["w"]), keys


def source(count: int) -> Source:
    """Layers in a row, each with a cache for 2 items and 5 steps."""

    def call(p: Tree, x: Any) -> Any:
        new: dict[Any, Any] = {}
        for name, own in p.items():
            x, keys = layer(own, x)
            new |= {(name, "keys"): keys, (name, "place"): own["place"] + 1}
        return x, new

    arrays = {
        f"layer_{i}": {
            "w": array(4, 4),
            "keys": jnp.zeros((2, 5, 4)),
            "place": jnp.int32(0),
        }
        for i in range(count)
    }
    kinds: Any = {
        (layer, name): "state" for layer in arrays for name in ("keys", "place")
    }
    code = call.__code__
    return Source(
        call, arrays, "model", lambda without: marked_functions(code), kinds=kinds
    )


@pytest.mark.parametrize("count", [1, 3])
def test_a_cache_is_an_input_and_its_next_value(count: int) -> None:
    """Those of layers in a row are one, and go through their loop."""
    model = source(count)
    cached, inputs = with_caches(model, INPUTS, NEXT)
    graph, params, origin = imported(cached, inputs, {})
    stack = [count] if count > 1 else []
    assert inputs["keys"].shape == [*stack, "batch", 5, 4]
    assert (inputs["place"].shape, inputs["place"].dtype) == (stack, "int32")
    outputs = graph.plain()["functions"]["main"]["outputs"]
    assert [outputs[n]["next"] for n in ("keys", "place")] == ["keys", "place"]
    assert list(outputs) == ["out", "keys", "place"]
    ops = [n.op for n in graph.functions["main"].nodes.values()]
    assert ops == ["repeat"] if count > 1 else "repeat" not in ops
    run, arrays = jax.jit(bx.build(graph)), dict(model.arrays)
    fed = [jnp.zeros((*stack, 2, 5, 4)), jnp.zeros(stack, jnp.int32)]
    for _ in range(3):
        x = array(2, 4)
        wanted, updates = model.call(arrays, x)
        found, state = run(params, x, *fed)
        np.testing.assert_allclose(found["out"], wanted, rtol=1e-5, atol=1e-5)
        assert not state
        fed = [found["keys"], found["place"]]
        for (name, leaf), new in updates.items():
            arrays[name] = {**arrays[name], leaf: new}
    back = origin.export(params)
    jax.tree.map(np.testing.assert_array_equal, back, model.arrays)


def test_stacked_caches_go_through_the_loop_of_their_layers() -> None:
    def call(p: Tree, x: Any) -> Any:
        def step(x: Any, own: Any) -> Any:
            x, keys = layer(own, x)
            return x, {"keys": keys, "place": own["place"] + 1}

        x, new = jax.lax.scan(step, x, p["layers"])
        return x, {("layers", name): array for name, array in new.items()}

    arrays = {
        "layers": {
            "w": array(3, 4, 4),
            "keys": jnp.zeros((3, 2, 5, 4)),
            "place": jnp.zeros(3, jnp.int32),
        }
    }
    kinds: Any = {("layers", name): "state" for name in ("keys", "place")}
    model = Source(call, arrays, "model", kinds=kinds)
    caches: dict[str, Sizes] = {"keys": [3, "batch", "..."], "place": [3]}
    cached, inputs = with_caches(model, INPUTS, caches)
    graph, params, _ = imported(cached, inputs, {})
    (loop,) = graph.plain()["functions"]["main"]["nodes"].values()
    assert set(loop["xs"]) == {"keys", "place"}
    x, kept = array(2, 4), [array(3, 2, 5, 4), jnp.array([0, 1, 4])]
    found, _ = bx.build(graph)(params, x, *kept)
    given = {**arrays["layers"], "keys": kept[0], "place": kept[1]}
    wanted, new = call({"layers": given}, x)
    np.testing.assert_allclose(found["out"], wanted, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found["keys"], new["layers", "keys"], rtol=1e-6)


def test_a_function_says_what_its_inputs_become() -> None:
    def count(x: Any, seen: Any) -> Any:
        return {"mean": (x + seen) / 2, "seen": seen + x}

    inputs = {"x": bx.Input(["batch", 4]), "seen": bx.Input(["batch", 4])}
    graph, _, _ = bx.from_jax(count, inputs, caches={"seen": ["batch", 4]})
    assert graph.plain()["functions"]["main"]["outputs"]["seen"]["next"] == "seen"
    with pytest.raises(bx.SpecError, match="an output of this name"):
        bx.from_jax(lambda x, seen: x + seen, inputs, caches={"seen": ["batch", 4]})


@pytest.mark.parametrize(
    ("caches", "said"),
    [
        ({"kys": ["batch", "..."]}, "the name of an array, or its end"),
        ({"keys": ["batch", 4]}, r"of the shape \(2, 5, 4\)"),
        ({"keys": ["batch", 6, 4]}, r"of the shape \(2, 5, 4\)"),
        ({"keys": ["...", "..."]}, r"of the shape \(2, 5, 4\)"),
    ],
)
def test_what_is_no_cache_is_refused(caches: Any, said: str) -> None:
    with pytest.raises(bx.SpecError, match=said) as caught:
        with_caches(source(1), INPUTS, caches)
    assert {d.code for d in caught.value.diagnostics} == {"import-model"}
