"""Faults of a model's own code: one error, with its line, what to do, and the cause."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import blox as bx

X = {"x": bx.Input(["batch", 4])}


def one_line(x: Any) -> Any:
    return x if x.sum() > 0 else -x


def inner(params: Any, x: Any) -> Any:
    return x @ params["w"]


def layered(params: Any, x: Any) -> Any:
    return jnp.tanh(
        inner(params, x),
    )


def masked(params: Any, x: Any, mask: Any) -> Any:
    return x * mask * params["w"]


def averaged(x: Any) -> Any:
    return x - jax.lax.pmean(x, "devices")


def broken(x: Any) -> Any:
    raise KeyError("no\nweights")


def at(function: Callable[..., Any], line: int = 1) -> str:
    """Where a line of a function lies, 0 the first one."""
    return f"{__file__}:{inspect.getsourcelines(function)[1] + line}"


CASES: dict[str, tuple[Any, Any, str, str, type[Exception]]] = {
    "a decision": (one_line, None, at(one_line), "a decision by one (if", TypeError),
    "numpy": (
        lambda x: np.abs(np.asarray(x)),
        None,
        f"{__file__}:",
        "makes an array of NumPy of a value",
        TypeError,
    ),
    "float": (lambda x: x * float(x.sum()), None, __file__, "x.astype(", TypeError),
    "a mask": (lambda x: x[x > 0], None, __file__, "index by a mask", IndexError),
    "a count": (
        lambda x: sum(x for _ in range(x.sum().astype(int))),
        None,
        f"{__file__}:",
        "jax.lax.fori_loop",
        TypeError,
    ),
    "shapes": (
        layered,
        {"w": np.ones((5, 3), "float32")},
        at(inner),
        "layered: expected code that runs on x float[batch, 4], found TypeError",
        TypeError,
    ),
    "too few": (
        masked,
        {"w": np.ones(4, "float32")},
        at(masked, 0),
        "masked: expected arguments for (params, x, mask), found 2: missing",
        TypeError,
    ),
    "too many": (lambda: 1.0, None, __file__, "found 1: too many", TypeError),
    "an axis": (averaged, None, at(averaged), "over an axis by name", NameError),
    "an error": (broken, None, at(broken), "found KeyError: 'no\\nweights'", KeyError),
}
"""A function, its params, where its fault is, a part of the line, and the cause."""


@pytest.mark.parametrize("case", CASES)
def test_a_fault_of_the_code_names_its_line(case: str) -> None:
    function, params, place, said, cause = CASES[case]
    with pytest.raises(bx.SpecError) as caught:
        bx.from_jax(function, X, params)
    (found,) = caught.value.diagnostics
    assert found.code == "import-code"
    assert place in found.message
    assert said in str(found)
    assert found.hint
    assert isinstance(caught.value.__cause__, cause)


def test_a_constant_that_another_trace_left_is_told() -> None:
    left: list[Any] = []

    @jax.jit
    def leaking(x: Any) -> Any:
        left.append(x)
        return x

    leaking(jnp.ones(4))
    with pytest.raises(bx.SpecError, match="another trace of JAX left behind"):
        bx.from_jax(lambda x: x + left[0], X)


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        (
            lambda x: (x, "relu"),
            "out_1: expected an array as output of model, found 're",
        ),
        (lambda x: {"y": object()}, "y: expected an array as output"),
        (lambda x: None, "model: expected an output, found none"),
        (lambda x: {}, "model: expected an output, found none"),
    ],
)
def test_outputs_are_arrays(outputs: Any, said: str) -> None:
    with pytest.raises(bx.SpecError, match=said):
        bx.from_jax(outputs, X)


def test_a_model_is_imported_outside_of_traces() -> None:
    def called(x: Any) -> Any:
        graph, _, _ = bx.from_jax(lambda y: y * 2, {"y": bx.Input([4])})
        return bx.build(graph)({}, x)[0]

    with pytest.raises(bx.SpecError, match="found that JAX traces what calls it"):
        jax.jit(called)(jnp.ones(4))
    np.testing.assert_array_equal(called(jnp.ones(4)), 2 * jnp.ones(4))


@pytest.mark.parametrize(
    ("params", "said"),
    [
        (
            {"a": np.ones(4), "b": {"c": np.arange(4)}},
            [
                "a: expected at most 32 bits per value, found float64; JAX computes in",
                "b.c: expected at most 32 bits per value, found int64",
            ],
        ),
        (
            {"a": np.array(["x"])},
            ["a: expected an array of numbers, found one of '<U1'"],
        ),
        (np.ones(4), ["param: expected at most 32 bits"]),
    ],
)
def test_arrays_of_other_dtypes_are_told_before_the_trace(
    params: Any, said: list[str]
) -> None:
    def never(*_: Any) -> Any:
        raise AssertionError

    with pytest.raises(bx.SpecError) as caught:
        bx.from_jax(never, X, params)
    lines = str(caught.value).splitlines()
    assert [line[: len(s)] for line, s in zip(lines, said, strict=True)] == said
    narrow = jax.tree.map(jnp.asarray, {"a": np.ones(4)})  # as the hint says
    bx.from_jax(lambda p, x: x * p["a"], X, narrow, check=False)


@pytest.mark.parametrize(
    ("inputs", "dims", "said"),
    [
        ([bx.Input([4])], {}, "inputs: expected a dict of bx.Input by name"),
        ({"x": np.ones(2)}, {}, "inputs.'x': expected a bx.Input, found array"),
        (
            {"params": bx.Input([4])},
            {},
            "inputs.params: expected a name that no builtin",
        ),
        ({"_x": bx.Input([4])}, {}, "'_x': expected a name of ASCII"),
        ({"x": bx.Input(["params"])}, {}, "inputs.x.shape: expected a name of a dim"),
        ({"x": bx.Input(["2*n"])}, {}, "the name of a dim for each axis, found '2*n'"),
        ({"x": bx.Input(["..."])}, {}, "the name of a dim for each axis, found '...'"),
        ({"x": bx.Input([-1])}, {}, "the name of a dim for each axis, found -1"),
        (X, {"seq": {"max": 4}}, "dims.'seq': expected a dim of an input, found none"),
        (X, {"batch": {"most": 4}}, "expected max, min, multiple_of by name, found"),
        (X, {"batch": 4}, "expected max, min, multiple_of by name, found 4"),
    ],
)
def test_inputs_that_no_graph_has_are_one_line(
    inputs: Any, dims: Any, said: str
) -> None:
    with pytest.raises(bx.SpecError) as caught:
        bx.from_jax(lambda x: x * 2, inputs, dims=dims)
    assert len(caught.value.diagnostics) == 1
    assert said in str(caught.value)


def test_a_derivative_of_its_own_is_a_warning_that_names_the_function() -> None:
    @jax.custom_jvp
    def straight(x: Any) -> Any:
        return x * 2

    straight.defjvp(lambda given, slopes: (straight(*given), slopes[0]))
    with pytest.warns(UserWarning, match=r"straight at test_faults\.py:\d+: expected"):
        _, _, origin = bx.from_jax(lambda x: straight(x) + 1, X, check=False)
    (name,) = origin.report.derivatives
    assert name.startswith("straight at test_faults.py:")
    assert f"{name}: its own derivative" in str(origin.report)
