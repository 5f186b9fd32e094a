"""Equal consecutive copies become one `repeat`, and nothing else does."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from imported import check

import blox as bx

X = {"x": bx.Input(["batch", 4])}
ONE = jnp.linspace(-1.0, 1.0, 8).reshape(2, 4)


def dense(rng: np.random.Generator, features: int = 4) -> dict[str, Any]:
    kernel = rng.normal(size=(4, features)).astype("float32")
    return {"w": kernel * 0.5, "b": rng.normal(size=features).astype("float32")}


def several(count: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(0)
    return [dense(rng) for _ in range(count)]


def block(layer: Any, x: jax.Array) -> jax.Array:
    h = jnp.tanh(x @ layer["w"] + layer["b"])
    return x + h * jnp.sin(h)


def repeats(graph: bx.Graph) -> dict[str, Any]:
    """The repeats of a Graph, by function and node."""
    return {
        f"{title}.{name}": node
        for title, function in graph.plain()["functions"].items()
        for name, node in function["nodes"].items()
        if node["op"] == "repeat"
    }


@pytest.mark.parametrize(
    ("params", "name"),
    [
        ({"layers": several(3)}, "layers"),
        ({"net": {f"block_{i}": p for i, p in enumerate(several(3))}}, "net_block"),
        ({f"layer{i}": p for i, p in enumerate(several(11))}, "layer"),
        (several(3), "blocks"),
        ({"layers": {str(i): p for i, p in enumerate(several(2))}}, "layers"),
    ],
    ids=["list", "nested names", "eleven names", "root", "numbered keys"],
)
def test_copies_are_one_repeat(params: Any, name: str) -> None:
    def model(params: Any, x: jax.Array) -> jax.Array:
        order = jax.tree.leaves(params, is_leaf=lambda p: "w" in p)
        if isinstance(params, dict) and "layer10" in params:
            order = [params[f"layer{i}"] for i in range(11)]
        for layer in order:
            x = block(layer, x)
        return x

    graph = check(model, params, X, ONE)
    (node,) = repeats(graph).items()
    assert node[0] == f"main.{name}"
    assert node[1]["scan"]
    assert node[1]["count"] == len(jax.tree.leaves(params)) // 2


def test_statements_without_a_function() -> None:
    def model(params: Any, x: jax.Array) -> jax.Array:
        x = x * 2
        for layer in params["layers"]:
            x = jnp.tanh(x @ layer["w"] + layer["b"])
        return x.sum(-1)

    graph = check(model, {"layers": several(4)}, X, ONE)
    (node,) = repeats(graph).values()
    assert (node["count"], node["function"]) == (4, "layer")


def test_the_first_of_another_shape_stays_alone() -> None:
    def model(params: Any, x: jax.Array) -> jax.Array:
        for layer in params:
            x = jnp.tanh(x @ layer["w"] + layer["b"])
        return x

    rng = np.random.default_rng(1)
    first = {"w": np.ones((3, 4), "float32"), "b": np.zeros(4, "float32")}
    inputs = {"x": bx.Input(["batch", 3])}
    params = [first, *(dense(rng) for _ in range(3))]
    graph = check(model, params, inputs, ONE[:, :3])
    (node,) = repeats(graph).values()
    assert node["count"] == 3


def test_shapes_that_differ_are_no_copies() -> None:
    def model(params: Any, x: jax.Array) -> jax.Array:
        for layer in params["layers"]:
            x = jnp.tanh(x @ layer["w"] + layer["b"])
        return x

    sizes = [(4, 5), (5, 6), (6, 4)]
    layers = [
        {"w": np.ones(s, "float32"), "b": np.ones(s[1], "float32")} for s in sizes
    ]
    assert not repeats(check(model, {"layers": layers}, X, ONE))


def test_two_values_are_carried_and_others_stay_the_same() -> None:
    def cell(layer: Any, x: jax.Array, h: jax.Array, scale: jax.Array) -> Any:
        h = jnp.tanh(h @ layer["w"] + x) * scale
        return x + layer["b"] * h, h

    def model(params: Any, x: jax.Array) -> jax.Array:
        scale = jnp.exp(params["scale"])
        start, h = x, jnp.ones_like(x)
        for layer in params["layers"]:
            x, h = cell(layer, x, h, scale)
        return x + h + start

    params = {"layers": several(3), "scale": np.ones(4, "float32")}
    graph = check(model, params, X, ONE)
    (node,) = repeats(graph).values()
    assert len(node["carry"]) == 2
    assert list(node["inputs"]) == ["scale"]


def test_what_only_copies_before_give_is_no_carry_of_all() -> None:
    """The start is another input in every copy but the first, where both are one value."""

    def model(params: Any, x: jax.Array) -> jax.Array:
        start = jnp.sin(x)
        x = start
        for layer in params["layers"]:
            x = jnp.tanh(x @ layer["w"] + layer["b"] + start)
        return x

    graph = check(model, {"layers": several(3)}, X, ONE)
    (node,) = repeats(graph).values()
    assert node["count"] == 3
    assert node["inputs"] == {"start": node["carry"]["x"]}


def test_a_layer_that_is_seen_ends_a_run() -> None:
    def model(params: Any, x: jax.Array) -> Any:
        seen = x
        for i, layer in enumerate(params["layers"]):
            x = block(layer, x)
            if i == 2:
                seen = x
        return x, seen

    graph = check(model, {"layers": several(6)}, X, ONE)
    found = repeats(graph)
    assert {n["count"] for n in found.values()} == {3}
    assert list(found) == ["main.layers", "main.layers_3"]


def test_what_the_last_layer_made_on_the_way_stays_beside_the_run() -> None:
    """Only what is carried comes out of a repeat."""

    def model(params: Any, x: jax.Array) -> jax.Array:
        h = x
        for layer in params["layers"]:
            h = jnp.tanh(x @ layer["w"] + layer["b"])
            x = x + h * jnp.sin(h)
        return x * h

    graph = check(model, {"layers": several(4)}, X, ONE)
    (node,) = repeats(graph).values()
    assert node["count"] == 3


def test_an_array_that_others_use_too_is_no_copy() -> None:
    def model(params: Any, x: jax.Array) -> jax.Array:
        for layer in params["layers"]:
            x = block(layer, x)
        out: jax.Array = x @ params["layers"][0]["w"].T
        return out

    graph = check(model, {"layers": several(3)}, X, ONE)
    assert {n["count"] for n in repeats(graph).values()} <= {2}


def test_one_module_many_times_is_shared() -> None:
    def model(params: Any, x: jax.Array) -> jax.Array:
        for _ in range(4):
            x = block(params["block"], x)
        return x

    graph = check(model, {"block": several(1)[0]}, X, ONE)
    (node,) = repeats(graph).values()
    assert node["shared"]
    assert list(graph.program().leaves()) == ["block.kernel", "block.bias"]


def test_copies_in_copies() -> None:
    def stage(layers: Any, x: jax.Array) -> jax.Array:
        for layer in layers:
            x = block(layer, x)
        return jnp.cos(x)

    def model(params: Any, x: jax.Array) -> jax.Array:
        for layers in params["stages"]:
            x = stage(layers, x)
        return x

    params = {"stages": [several(2), several(2), several(2)]}
    graph = check(model, params, X, ONE)
    assert list(repeats(graph)) == ["main.stages", "stage.blocks"]


def mixer(layer: Any, x: jax.Array) -> Any:
    return x + jnp.cos(x @ layer["w"] + layer["b"])


def test_two_kinds_of_layers_in_turn() -> None:
    def model(params: Any, x: jax.Array) -> Any:
        for i, layer in enumerate(params["layers"]):
            x = mixer(layer, x) if i % 2 else block(layer, x)
        return x

    graph = check(model, {"layers": several(6)}, X, ONE)
    (node,) = repeats(graph).values()
    assert node["count"] == 3
    places = [f"layers.{kind}.kernel" for kind in ("block", "mixer")]
    assert list(graph.program().leaves())[::2] == places


def columns(count: int) -> dict[str, Any]:
    rows = several(count)
    return {name: [row[name] for row in rows] for name in ("w", "b")}


def test_a_list_for_each_array() -> None:
    def model(params: Any, x: jax.Array) -> Any:
        for w, b in zip(params["w"], params["b"], strict=True):
            x = jnp.tanh(x @ w + b)
        return x

    graph = check(model, columns(4), X, ONE)
    (node,) = repeats(graph).values()
    assert (node["count"], node["function"]) == (4, "layer")
    assert list(graph.program().leaves()) == ["layers.w", "layers.b"]


def test_one_list_of_arrays() -> None:
    def model(params: Any, x: jax.Array) -> Any:
        for w in params["net"]["w"]:
            x = jnp.tanh(x @ w)
        return x

    graph = check(model, {"net": {"w": columns(3)["w"]}}, X, ONE)
    (node,) = repeats(graph).values()
    assert node["count"] == 3


def test_numbered_names_of_arrays() -> None:
    def model(params: Any, x: jax.Array) -> Any:
        for i in range(1, 4):
            x = jnp.tanh(x @ params[f"w{i}"] + params[f"b{i}"])
        return x

    params = {f"{n}{i + 1}": a for n, c in columns(3).items() for i, a in enumerate(c)}
    (node,) = repeats(check(model, params, X, ONE)).values()
    assert node["count"] == 3


def test_numbers_that_differ_are_attributes_of_each_copy() -> None:
    def scaled(layer: Any, x: jax.Array, power: float, shift: float) -> Any:
        return jnp.tanh(power * (x @ layer["w"])) + shift * jnp.sin(x) + layer["b"]

    def model(params: Any, x: jax.Array) -> Any:
        for i, layer in enumerate(params["layers"]):
            x = scaled(layer, x, 2.0 + i, 4.0 - i)
        return x

    graph = check(model, {"layers": several(3)}, X, ONE)
    (node,) = repeats(graph).values()
    assert not node["scan"]
    assert sorted(node["attributes"].values()) == [[2.0, 3.0, 4.0], [4.0, 3.0, 2.0]]


def test_copies_in_copies_that_differ() -> None:
    def stage(layers: Any, x: jax.Array, power: float) -> Any:
        for i, layer in enumerate(layers):
            x = jnp.tanh(x @ layer["w"] * power + layer["b"]) + (i + 2.0) * jnp.sin(x)
        return jnp.cos(x)

    def model(params: Any, x: jax.Array) -> Any:
        for i, layers in enumerate(params["stages"]):
            x = stage(layers, x, 0.5 * i + 0.25)
        return x

    graph = check(model, {"stages": [several(3), several(3)]}, X, ONE)
    assert [node["scan"] for node in repeats(graph).values()] == [False, False]


def recurrent(p: Any, h: jax.Array, x: jax.Array) -> Any:
    return jnp.tanh(x @ p["w"] + h * p["b"])


def loops(graph: bx.Graph, op: str) -> list[dict[str, Any]]:
    return [
        n for n in graph.plain()["functions"]["main"]["nodes"].values() if n["op"] == op
    ]


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_steps_in_time_are_a_scan(axis: int) -> None:
    """Of slices that go along an axis; what they give is stacked on any."""

    def model(params: Any, xs: jax.Array) -> Any:
        h = jnp.cos(xs[:, 0])
        seen = []
        for t in range(5):
            h = recurrent(params["cell"], h, xs[:, t])
            seen.append(h)
        return jnp.stack(seen, axis=axis), h

    inputs = {"xs": bx.Input(["batch", 5, 4])}
    xs = jnp.sin(jnp.arange(40.0)).reshape(2, 5, 4)
    graph = check(model, {"cell": several(1)[0]}, inputs, xs)
    (node,) = loops(graph, "scan")
    assert (node["axis"], node["xs"]) == (1, {"x": "xs"})
    assert not loops(graph, "stack")
    assert len(loops(graph, "transpose")) == (axis != 1)


def test_steps_from_the_second_on_without_a_function() -> None:
    def model(params: Any, xs: jax.Array) -> Any:
        h = xs[0]
        for t in range(1, 6):
            h = jnp.tanh(h @ params["w"]) + xs[t]
        return h

    inputs = {"xs": bx.Input([6, "batch", 4])}
    xs = jnp.sin(jnp.arange(48.0)).reshape(6, 2, 4)
    graph = check(model, {"w": several(1)[0]["w"]}, inputs, xs)
    assert len(loops(graph, "scan")) == 1


def test_layers_take_slices_and_give_what_is_stacked() -> None:
    def model(params: Any, x: jax.Array, masks: jax.Array) -> Any:
        seen = []
        for i, layer in enumerate(params["layers"]):
            x = block(layer, x * masks[i])
            seen.append(x)
        return jnp.stack(seen)

    masks = jnp.linspace(0.0, 1.0, 12).reshape(3, 4)
    inputs = X | {"masks": bx.Input([3, 4])}
    graph = check(model, {"layers": several(3)}, inputs, ONE, masks)
    (node,) = repeats(graph).values()
    assert list(node["xs"].values()) == ["masks"]
    assert not loops(graph, "stack")


def test_outputs_of_all_layers_are_stacked_and_taken_apart() -> None:
    def model(params: Any, x: jax.Array) -> Any:
        hidden = [x]
        for layer in params["layers"]:
            x = block(layer, x)
            hidden.append(x)
        return {"last": hidden[-1] * hidden[2], "first": hidden[1], "third": hidden[3]}

    graph = check(model, {"layers": several(4)}, X, ONE)
    (node,) = repeats(graph).values()
    assert node["count"] == 4


def test_what_each_layer_of_one_list_gives_flows_into_one_of_another() -> None:
    def model(params: Any, x: jax.Array) -> Any:
        keys = []
        for layer in params["down"]:
            x = block(layer, x)
            keys.append(jnp.tanh(x @ layer["b"]))
        for layer, key in zip(params["up"], keys, strict=True):
            x = block(layer, x) * key[:, None]
        return x

    params = {"down": several(4), "up": several(4)}
    graph = check(model, params, X, ONE)
    first, second = repeats(graph).values()
    assert first["count"] == second["count"] == 4
    assert "xs" in second
