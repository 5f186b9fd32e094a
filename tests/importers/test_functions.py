"""Functions of a tree of arrays, as people write them without a library."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from imported import check

import blox as bx


def normed(x: Any, scale: Any) -> Any:
    mean = jnp.mean(x * x, axis=-1, keepdims=True)
    return x * jax.lax.rsqrt(mean + 1e-6) * scale


def forward(params: Any, tokens: jax.Array) -> Any:
    x = params["table"][tokens]
    mask = jnp.tril(jnp.ones((tokens.shape[1], tokens.shape[1]), bool))
    scores = jnp.einsum("bqd,bkd->bqk", x @ params["wq"], x @ params["wk"])
    weights = jax.nn.softmax(jnp.where(mask, scores, -1e9), axis=-1)
    return normed(x + weights @ x, params["scale"]) @ params["table"].T


def test_a_function_gives_what_it_gave() -> None:
    rng = np.random.default_rng(0)
    shapes = {"table": (11, 8), "wq": (8, 8), "wk": (8, 8), "scale": (8,)}
    tree = {k: rng.normal(size=s).astype("float32") for k, s in shapes.items()}
    tokens = {"tokens": bx.Input(["batch", "seq"], "int32")}
    graph, params, origin = bx.from_jax(forward, tokens, tree, name="small")
    ids = jnp.array([[1, 2, 3, 10, 0], [4, 4, 4, 9, 8]])
    out, _ = bx.build(graph)(params, ids)
    np.testing.assert_allclose(out, forward(tree, ids), rtol=1e-5, atol=1e-5)
    trained = jax.tree.map(lambda a: a + 1, params)
    back = origin.export(trained)
    np.testing.assert_allclose(
        bx.build(graph)(trained, ids)[0], forward(back, ids), rtol=1e-5, atol=1e-5
    )


def test_params_may_be_one_array(tmp_path: Any) -> None:
    weight = jnp.arange(4.0)
    graph, params, origin = bx.from_jax(
        lambda w, f: (f, f * w + w[0]),
        {"f": bx.Input(["batch", 4])},
        weight,
        name="one",
    )
    same, out = bx.build(graph)(params, jnp.ones((2, 4)))[0].values()
    np.testing.assert_array_equal(same, jnp.ones((2, 4)))
    np.testing.assert_array_equal(out, jnp.ones((2, 4)) * weight)
    np.testing.assert_array_equal(origin.export(params), weight)
    bx.save(tmp_path / "one", graph, params, origin=origin)
    back = bx.load_origin(tmp_path / "one").export(params, like=weight * 0)
    np.testing.assert_array_equal(back, weight)


def test_outputs_whose_paths_have_one_name_are_all_there() -> None:
    x = {"x": bx.Input([2])}
    graph, params, _ = bx.from_jax(
        lambda x: {"a": {"b": x}, "a_b": x + 1, "a.b": x + 2}, x, name="three"
    )
    found = bx.build(graph)(params, jnp.zeros(2))[0]
    assert sorted(float(a[0]) for a in found.values()) == [0, 1, 2]


@pytest.mark.parametrize(
    ("name", "params", "said"),
    [
        ("x", {"a": 2.0}, "a: expected an array, found 2.0"),
        ("x", {"a": {"kind": "relu"}}, "a.kind: expected an array, found 'relu'"),
        ("lambda", None, "'lambda': expected a name"),
        ("x.y", None, "'x.y': expected a name"),
    ],
)
def test_what_is_no_array_or_name_is_told(name: str, params: Any, said: str) -> None:
    with pytest.raises(bx.SpecError, match=said):
        bx.from_jax(lambda *given: given[-1], {name: bx.Input([2])}, params)


def test_a_function_may_be_given_a_number_as_array() -> None:
    def scaled(x: Any, factor: Any) -> Any:
        return jnp.tanh(x) * factor

    def forward(params: Any, x: Any) -> Any:
        return scaled(x @ params["w"], jnp.float32(2.0))

    params = {"w": np.ones((3, 2), "float32")}
    x = np.ones((2, 3), "float32")
    check(forward, params, {"x": bx.Input(["batch", 3])}, x)


def test_roll_by_what_flows_in() -> None:
    inputs = {"x": bx.Input([6, 4]), "by": bx.Input([], "int32")}
    graph, params, _ = bx.from_jax(
        lambda x, by: jnp.roll(x, by, 0), inputs, check=False
    )
    x = jnp.arange(24.0).reshape(6, 4)
    for by in (0, 2, -7):
        found, _ = bx.build(graph)(params, x, jnp.int32(by))
        np.testing.assert_array_equal(found, jnp.roll(x, by, 0))


def test_a_part_without_elements_is_imported() -> None:
    def forward(params: Any, x: Any) -> Any:
        none, left, right = jnp.split(x * params["w"], [0, 3], axis=-1)
        alone, last = jnp.split(right, [0], axis=-1)
        return left, last, none.sum() + alone.sum()

    params = {"w": np.arange(5, dtype="float32")}
    x = np.ones((2, 5), "float32")
    check(forward, params, {"x": bx.Input(["batch", 5])}, x)


def test_a_function_named_as_an_op_gives_a_model_of_another_name() -> None:
    def softmax(params: Any, x: Any) -> Any:
        return jax.nn.softmax(x * params["w"])

    params = {"w": np.ones(3, "float32")}
    graph, _, _ = bx.from_jax(softmax, {"x": bx.Input(["batch", 3])}, params)
    assert graph.name == "softmax_model"


def test_outputs_in_an_order_of_their_own_have_the_same_gradients() -> None:
    """JAX sorts the keys of a dict, and leaves the fields of a tuple as they are."""

    class State(NamedTuple):
        hidden: jax.Array
        cell: jax.Array

    def model(w: jax.Array, x: jax.Array) -> State:
        return State(jnp.tanh(x @ w), x @ w)

    x = {"x": bx.Input(["batch", 2])}
    graph, _, origin = bx.from_jax(model, x, jnp.ones((2, 3)))
    assert list(graph.functions["main"].outputs) == ["hidden", "cell"]
    assert origin.report.greatest < 1e-6


def test_a_dtype_that_blox_lacks_is_refused() -> None:
    def model(x: jax.Array) -> jax.Array:
        return x.astype(jnp.float8_e4m3fn).astype(jnp.float32)

    said = "convert_element_type: float8_e4m3fn is no dtype of blox"
    with pytest.raises(bx.SpecError, match=said):
        bx.from_jax(model, {"x": bx.Input([2])})


def test_code_that_counts_to_a_size_is_told_to_give_it() -> None:
    def total(x: Any) -> Any:
        return sum(x[i] for i in range(x.shape[0]))

    with pytest.raises(bx.SpecError, match="give n as a number"):
        bx.from_jax(total, {"x": bx.Input(["n", 2])})


def test_what_is_made_of_complex_numbers_has_the_dtype_of_the_model() -> None:
    def forward(params: Any, x: Any) -> Any:
        def step(carry: Any, now: Any) -> tuple[Any, Any]:
            turned = jax.lax.complex(carry, now) * (1 + 2j)
            return carry + turned.real, jnp.abs(turned)

        spectrum = jnp.fft.rfft(x * params["w"])
        return jax.lax.scan(step, x[0], x), jnp.fft.irfft(spectrum, 4)

    params = {"w": np.arange(4, dtype="float32")}
    x = np.ones((3, 4), "float32")
    graph = check(forward, params, {"x": bx.Input([3, 4])}, x)
    low = {"w": jnp.asarray(params["w"], "bfloat16")}
    found, _ = bx.build(graph)(low, jnp.asarray(x, "bfloat16"))
    assert {a.dtype for a in jax.tree.leaves(found)} == {jnp.dtype("bfloat16")}


def test_what_a_gradient_would_write_outside_is_dropped() -> None:
    def slope(x: Any, at: Any) -> Any:
        return jax.grad(lambda a: jnp.sum(a[at] ** 2))(x)

    inputs = {"x": bx.Input([6]), "at": bx.Input(["n"], "int32")}
    graph, params, _ = bx.from_jax(slope, inputs, check=False)
    x, at = jnp.arange(1.0, 7.0), jnp.array([-9, 0, 2, 2, 5, 6])
    found, _ = bx.build(graph)(params, x, at)
    np.testing.assert_array_equal(found, slope(x, at))


def test_keys_of_the_source_that_are_not_drawn_from_flow_through_a_scan() -> None:
    keys = jax.random.split(jax.random.key(0), 3)

    def forward(params: Any, x: Any) -> Any:
        def step(carry: Any, now: Any) -> tuple[Any, Any]:
            key, w = now
            return carry * w, jax.random.fold_in(key, 1)

        return jax.lax.scan(step, x, (keys, params["w"]))[0]

    params = {"w": np.arange(1, 4, dtype="float32")}
    x = np.ones((2, 4), "float32")
    check(forward, params, {"x": bx.Input(["batch", 4])}, x)


def test_what_was_compiled_and_traced_before_stays_and_what_is_traced_for_it_goes() -> (
    None
):
    times = []

    def inner(x: Any, w: Any) -> Any:
        times.append(type(x).__name__)
        return jnp.tanh(x @ w)

    @jax.jit
    def layer(x: Any, w: Any) -> Any:
        return inner(x, w)

    w, x = np.eye(4, dtype="float32"), np.ones((2, 4), "float32")
    before = layer(x, w)
    assert len(times) == 1
    inputs = {"x": bx.Input([2, 4])}
    graph, _, _ = bx.from_jax(
        lambda p, x: layer(layer(x, p["w"]), p["v"]), inputs, {"w": w, "v": w}
    )
    # It is traced anew, so that its functions are marked.
    assert len(graph.functions) > 1
    count = len(times)
    np.testing.assert_array_equal(layer(x, w), before)
    assert len(times) == count
    assert "blox" not in str(jax.make_jaxpr(layer)(x, w))
