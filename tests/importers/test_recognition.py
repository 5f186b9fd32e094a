"""Ops are recognised where equations are equal to theirs, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import blox as bx

X = jnp.asarray(np.random.default_rng(0).normal(size=(3, 8, 6)).astype("float32"))
EXTREME = jnp.array(
    [[0, -0.0, 1e-38, -1e-30, 1, -1], [3, 88, -104, 1e4, -1e30, 3e38]], jnp.float32
)


def imported(function: Callable[..., Any], *arrays: Any) -> tuple[list[str], Any]:
    """The ops of a function's Graph, without those that only turn axes, and what it
    gives, in order. The first size of all arrays is a dim."""
    inputs = {
        f"x{i}": bx.Input(
            ["batch", *a.shape[1:]], str(a.dtype).replace("float32", "float")
        )
        for i, a in enumerate(arrays)
    }
    graph, params, _ = bx.from_jax(function, inputs, name="model", check=False)
    out, _ = jax.jit(bx.build(graph))(params, *arrays)
    nodes = [n for f in graph.functions.values() for n in f.nodes.values()]
    turned = ("swapaxes", "transpose")
    several = out if isinstance(out, dict) else {"out_0": out}
    order = sorted(several, key=lambda name: int(name.removeprefix("out_")))
    return [n.op for n in nodes if n.op not in turned], [several[n] for n in order]


def hold(cases: Sequence[tuple[Callable[..., Any], str]], *arrays: Any) -> None:
    """Each of these functions is one op, and gives the same."""

    def every(*given: Any) -> list[Any]:
        return [function(*given) for function, _ in cases]

    found, out = imported(every, *arrays)
    assert found == [op for _, op in cases]
    for given, wanted in zip(out, jax.jit(every)(*arrays), strict=True):
        np.testing.assert_allclose(given, wanted, rtol=2e-6, atol=2e-6)


ACTIVATIONS = [
    *(
        getattr(jax.nn, name)
        for name in ("relu", "relu6", "silu", "elu", "selu", "celu")
    ),
    *(getattr(jax.nn, name) for name in ("softplus", "log_sigmoid", "mish", "glu")),
    *(getattr(jax.nn, name) for name in ("hard_sigmoid", "hard_silu", "hard_tanh")),
    *(getattr(jax.nn, name) for name in ("soft_sign", "squareplus", "sparse_plus")),
    *(getattr(jax.nn, name) for name in ("sparse_sigmoid", "log1mexp", "leaky_relu")),
    *(getattr(jax.nn, name) for name in ("gelu", "softmax", "log_softmax")),
]


def test_activations_are_one_op() -> None:
    hold([(f, f.__name__) for f in ACTIVATIONS], EXTREME)
    hold([(jax.vmap(f, in_axes=1), f.__name__) for f in ACTIVATIONS], X)


@pytest.mark.parametrize("name", ["mean", "var", "std", "nanmean", "ptp"])
def test_reductions_are_one_op(name: str) -> None:
    function = getattr(jnp, name)
    ways = product([1, (1, 2), None], [False, True])
    hold([(partial(function, axis=a, keepdims=k), name) for a, k in ways], X)


def test_reductions_are_one_op_under_vmap() -> None:
    def var(x: Any) -> Any:
        return jnp.var(x, axis=0, ddof=1)

    def logsumexp(x: Any) -> Any:
        return jax.nn.logsumexp(x, axis=0)

    axes = range(2)
    hold([(jax.vmap(var, in_axes=i), "var") for i in axes], X)
    hold([(jax.vmap(logsumexp, in_axes=i), "logsumexp") for i in axes], X)
    hold([(lambda x: jnp.median(x, axis=1), "median")], X)


@pytest.mark.parametrize("spelled", ["of JAX", "by hand", "without keepdims"])
def test_softmax_is_one_op_however_it_is_written(spelled: str) -> None:
    def softmax(x: Any) -> Any:
        if spelled == "of JAX":
            return jax.nn.softmax(x, axis=1)
        if spelled == "by hand":
            e = jnp.exp(x - x.max(1, keepdims=True))
            return e / e.sum(1, keepdims=True)
        e = jnp.exp(x - x.max(1)[:, None])
        return e / jnp.expand_dims(jnp.sum(e, 1), 1)

    hold([(softmax, "softmax"), (jax.vmap(softmax, in_axes=1), "softmax")], X)


def test_numbers_become_attributes() -> None:
    inputs = {"x": bx.Input(["batch", 6])}

    def attributes(function: Callable[[Any], Any]) -> dict[str, Any]:
        graph, _, _ = bx.from_jax(function, inputs, name="model", check=False)
        (node,) = graph.functions["main"].nodes.values()
        return dict(node.model_dump(exclude_defaults=True))

    assert attributes(lambda x: jax.nn.leaky_relu(x, 0.3))["negative_slope"] == 0.3
    assert attributes(lambda x: jax.nn.elu(x, 0.5))["alpha"] == 0.5
    assert attributes(lambda x: jax.nn.squareplus(x, 2.0))["b"] == 2.0
    assert attributes(lambda x: jnp.nan_to_num(x, nan=3.0))["nan"] == 3.0
    assert "posinf" not in attributes(lambda x: jnp.nan_to_num(x, nan=3.0))
    assert not attributes(lambda x: jax.nn.gelu(x, approximate=False)).get(
        "approximate", True
    )


def test_operands_may_be_any_arrays_and_numbers() -> None:
    hold([(jnp.logaddexp, "logaddexp"), (jnp.logaddexp2, "logaddexp2")], X, X[::-1])
    assert (
        imported(lambda x: jnp.logaddexp(x, x.max(1, keepdims=True)), X)[0][-1]
        == "logaddexp"
    )
    hold([(lambda x: jnp.clip(x, -0.5, 0.5), "clip")], X)


def test_what_lies_between_is_no_obstacle() -> None:
    def both(x: Any) -> Any:
        top, other = x.max(-1, keepdims=True), jnp.tanh(x)
        e, more = jnp.exp(x - top), jax.nn.sigmoid(other)
        return e / e.sum(-1, keepdims=True) + more

    found, out = imported(both, X)
    assert sorted(found) == ["add", "sigmoid", "softmax", "tanh"]
    np.testing.assert_allclose(out[0], both(X), rtol=2e-6)


NEAR = {
    "another constant": lambda x: (
        0.5 * x * (1 + jnp.tanh(0.797 * (x + 0.044715 * x**3)))
    ),
    "another axis": lambda x: (
        jnp.exp(x - x.max(1, keepdims=True))
        / jnp.exp(x - x.max(1, keepdims=True)).sum(2, keepdims=True)
    ),
    "another derivative": lambda x: jnp.maximum(x, 0),
    "a divisor of n + 1": lambda x: x.sum(-1) / 7,
    "no maximum": lambda x: jnp.exp(x) / jnp.exp(x).sum(-1, keepdims=True),
    "the difference of squares": lambda x: (x**2).mean(-1) - x.mean(-1) ** 2,
}


@pytest.mark.parametrize("near", NEAR)
def test_what_is_near_is_left(near: str) -> None:
    found, out = imported(NEAR[near], X)
    assert not {"gelu", "softmax", "relu", "var"} & set(found)
    assert len(found) > 1 or near == "another derivative"
    wanted = NEAR[near](X)  # type: ignore[no-untyped-call]
    np.testing.assert_allclose(out[0], wanted, rtol=2e-5, atol=2e-6)


def test_a_value_that_is_used_elsewhere_stays() -> None:
    def leaking(x: Any) -> Any:
        e = jnp.exp(x - x.max(-1, keepdims=True))
        return e / e.sum(-1, keepdims=True) + e

    assert "softmax" not in imported(leaking, X)[0]


def test_a_derivative_of_the_users_own_is_no_op() -> None:
    @jax.custom_jvp
    def relu(x: Any) -> Any:
        return jnp.maximum(x, 0)

    relu.defjvps(lambda g, _, x: 2 * g)
    with pytest.warns(UserWarning, match=r"relu at test_recognition\.py:\d+: expected"):
        assert imported(relu, X)[0] == ["maximum"]
