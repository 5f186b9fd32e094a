"""The comparison of jaxprs tells programs apart, and not orders of one program."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxprs import assert_same_jaxpr, same_program

X = jnp.ones(3)
Two = Callable[[Any, Any], Any]


def traced(function: Two) -> Any:
    return jax.make_jaxpr(function)(X, X)


def sin_first(x: Any, y: Any) -> Any:
    a = jnp.sin(x)
    b = jnp.cos(y)
    return a, b


def cos_first(x: Any, y: Any) -> Any:
    b = jnp.cos(y)
    a = jnp.sin(x)
    return a, b


def scanned(body: Two) -> Two:
    return lambda x, y: jax.lax.scan(lambda c, s: body(c, s), x, jnp.stack([y, y]))


def twice_used(x: Any, y: Any) -> Any:
    one, two = jnp.exp(x), jnp.exp(x)
    return jnp.sin(one), jnp.cos(two)


def twice_used_crosswise(x: Any, y: Any) -> Any:
    one, two = jnp.exp(x), jnp.exp(x)
    return jnp.sin(two), jnp.cos(one)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (sin_first, cos_first),
        (scanned(sin_first), scanned(cos_first)),
        (twice_used, twice_used_crosswise),
    ],
)
def test_orders_of_one_program_are_the_same(a: Two, b: Two) -> None:
    assert str(traced(a)) != str(traced(b))
    assert_same_jaxpr(traced(a), traced(b))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (lambda x, y: x - y, lambda x, y: y - x),
        (lambda x, y: x + 1, lambda x, y: x + 2),
        (lambda x, y: (x, y), lambda x, y: (y, x)),
        (lambda x, y: jnp.sum(x), lambda x, y: jnp.max(x)),
        (lambda x, y: x + np.arange(3.0), lambda x, y: x + np.arange(3.0, 0, -1)),
        (lambda x, y: jnp.exp(x) * jnp.exp(x), lambda x, y: jnp.square(jnp.exp(x))),
        (
            lambda x, y: jnp.exp(x) * jnp.exp(x),
            lambda x, y: (lambda e: e * e)(jnp.exp(x)),
        ),
        (scanned(sin_first), scanned(lambda c, s: (jnp.sin(c), jnp.sin(s)))),
        (
            lambda x, y: jax.lax.cond(x[0] > 0, jnp.sin, jnp.cos, y),
            lambda x, y: jax.lax.cond(x[0] > 0, jnp.cos, jnp.sin, y),
        ),
        (
            lambda x, y: x.reshape(3, 1),
            lambda x, y: x.reshape(1, 3),
        ),
    ],
)
def test_other_programs_are_told_apart(a: Two, b: Two) -> None:
    assert not same_program(traced(a), traced(b))
    with pytest.raises(AssertionError):
        assert_same_jaxpr(traced(a), traced(b))


def test_effects_keep_their_order() -> None:
    def shown(*texts: str) -> Any:
        def function(x: Any, y: Any) -> Any:
            for text in texts:
                jax.debug.print(text)
            return x

        return traced(function)

    assert not same_program(shown("a", "b"), shown("b", "a"))
