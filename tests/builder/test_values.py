"""Operators, indexing and methods of values mean what they mean in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import blox as bx

X = np.arange(1.0, 25.0, dtype=np.float32).reshape(2, 3, 4) / 7
Y = np.float32(3.1) - X
INTEGERS = np.arange(-6, 6, dtype=np.int32).reshape(3, 4)


def graph_of(act: Callable[..., Any]) -> bx.Graph:
    """A Graph of one entry for X, Y and INTEGERS."""
    b = bx.GraphBuilder("m")

    def main(f: bx.F, x: bx.Value, y: bx.Value, i: bx.Value) -> Any:
        return act(x, y, i)

    b.entry(
        main,
        x=bx.Input([2, 3, 4]),
        y=bx.Input([2, 3, 4]),
        i=bx.Input([3, 4], "int32"),
    )
    return b.graph()


@pytest.mark.parametrize(
    "act",
    [
        lambda x, y, i: x + y,
        lambda x, y, i: x - y * 2,
        lambda x, y, i: 1 - x,
        lambda x, y, i: 2.5 * x / y,
        lambda x, y, i: 1 / x,
        lambda x, y, i: x**2,
        lambda x, y, i: 2**x,
        lambda x, y, i: x // y,
        lambda x, y, i: 7 // y,
        lambda x, y, i: x % 0.3,
        lambda x, y, i: 5 % x,
        lambda x, y, i: i // 4 + i % 4,
        lambda x, y, i: 1 + i,
        lambda x, y, i: -x,
        lambda x, y, i: abs(y),
        lambda x, y, i: x @ y.swapaxes(-1, -2),
        lambda x, y, i: x == y,
        lambda x, y, i: x != 1,
        lambda x, y, i: (x < y) & (y > 0),
        lambda x, y, i: (x <= y) | ~(y >= 1),
        lambda x, y, i: x >= 1,
        lambda x, y, i: x[0],
        lambda x, y, i: x[:, 1:, ::2],
        lambda x, y, i: x[..., None, -1],
        lambda x, y, i: x[:, -1, np.int64(2)],
        lambda x, y, i: x[1:2, ..., :-1],
        lambda x, y, i: x.reshape(2, -1),
        lambda x, y, i: x.reshape([6, 4]),
        lambda x, y, i: x.reshape((4, 2, 3)),
        lambda x, y, i: x.astype("int32"),
        lambda x, y, i: i.astype(np.float32),
        lambda x, y, i: x.transpose(2, 0, 1),
        lambda x, y, i: x.transpose((1, 0, 2)),
        lambda x, y, i: x.T,
        lambda x, y, i: x.mT if hasattr(x, "trace") else x.swapaxes(-1, -2),
        lambda x, y, i: x[:1].squeeze(0),
        lambda x, y, i: +x / x.size,
        lambda x, y, i: x.take(i % 3, 1),
        lambda x, y, i: x.repeat(2, axis=1),
        lambda x, y, i: x.flatten(),
        lambda x, y, i: i.ravel(),
        lambda x, y, i: x.sum(),
        lambda x, y, i: x.sum(-1),
        lambda x, y, i: x.mean((0, 2)),
        lambda x, y, i: x.mean(axis=1, keepdims=True),
        lambda x, y, i: y.prod(axis=-1),
        lambda x, y, i: y.max((1, 2)) - y.min(),
        lambda x, y, i: (x > 1).any(-1),
        lambda x, y, i: (x > 1).all(0),
        lambda x, y, i: x.var(-1, ddof=1),
        lambda x, y, i: x.std(),
        lambda x, y, i: y.argmax(-1),
        lambda x, y, i: y.argmin(),
        lambda x, y, i: x.cumsum(-1),
        lambda x, y, i: x.cumprod(1),
        lambda x, y, i: y.clip(0, 1),
        lambda x, y, i: y.clip(max=0.5),
        lambda x, y, i: x.round(),
    ],
)  # fmt: skip
def test_as_in_numpy(act: Callable[..., Any]) -> None:
    found, _ = bx.build(graph_of(act))({}, X, Y, INTEGERS)
    expected = np.asarray(act(X, Y, INTEGERS))
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=2e-6, atol=1e-6)


def test_a_leading_ellipsis_splits_the_last_axis() -> None:
    found, _ = bx.build(graph_of(lambda x, y, i: x.reshape(..., 2, 2)))(
        {}, X, Y, INTEGERS
    )
    np.testing.assert_array_equal(found, X.reshape(2, 3, 2, 2))


def test_an_expression_as_text_is_an_operand() -> None:
    b = bx.GraphBuilder("m", width=4)

    @b.entry(x=bx.Input(["batch", b.width]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return x * "$width ** -0.5"

    found, _ = bx.build(b.graph())({}, jnp.ones((2, 4)))
    np.testing.assert_array_equal(found, np.full((2, 4), 0.5))


@pytest.mark.parametrize(
    ("act", "text"),
    [
        (lambda x, y, i: x if x == 0 else y, "found an `if` on a value"),
        (lambda x, y, i: x if x in [y] else y, "found an `if` on a value"),
        (lambda x, y, i: x if 3 in x else y, "expected an op, found `in`; use f.any"),
        (
            lambda x, y, i: next(iter(x)),
            "a loop over a value; use f.split for its parts",
        ),
        (lambda x, y, i: x[i:], "between the brackets, found .*f.dynamic_slice takes"),
        (lambda x, y, i: x[[0, 1]], r"found \[0, 1\]; a value is an index"),
        (lambda x, y, i: x[0.5], "found 0.5; a value is an index"),
        (lambda x, y, i: jnp.tanh(x), r"a function of JAX on a value.*f.tanh\(x\) for"),
        (lambda x, y, i: jnp.stack([x, y]), "expected an op, found a function of JAX"),
        (
            lambda x, y, i: x * float(y[0, 0, 0]),
            "expected a number of Python, found a val",
        ),
        (lambda x, y, i: x[int(i[0, 0])], "expected a number of Python, found a value"),
        (lambda x, y, i: x & y, "expected booleans beside & | ~, found float32"),
        (lambda x, y, i: X + x, "found ndarray; an array goes into the Graph by f.con"),
        (lambda x, y, i: x + X, "found ndarray; an array goes into the Graph by f.con"),
        (
            lambda x, y, i: x * np.float32(2),
            "expected a value or a number, found float32",
        ),
    ],
)
def test_what_a_value_refuses(act: Callable[..., Any], text: str) -> None:
    with pytest.raises(bx.SpecError, match=text):
        graph_of(act)


@pytest.mark.parametrize("other", ["text", [1, 2], None])
def test_what_no_operator_takes(other: Any) -> None:
    with pytest.raises(TypeError, match=r"unsupported operand|can't multiply"):
        graph_of(lambda x, y, i: x * other)
