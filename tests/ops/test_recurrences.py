"""A linear recurrence, where halves of the axis have no size."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blox.ops.recurrences import linear_recurrence

_RANDOM = np.random.default_rng(0)
A, B = _RANDOM.normal(size=(2, 2, 6, 3)).astype(np.float32)
Y = _RANDOM.normal(size=(2, 3)).astype(np.float32)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("initial", [None, 0.5, Y])
def test_a_symbolic_time_axis_is_the_same(reverse: bool, initial: Any) -> None:
    def both(a: Any, b: Any) -> Any:
        def total(a: Any, b: Any) -> Any:
            y = linear_recurrence(a, b, initial, axis=1, reverse=reverse)
            return jnp.sum(jnp.sin(y)), y

        return jax.grad(total, (0, 1), has_aux=True)(a, b)

    kind = jax.ShapeDtypeStruct((2, jax.export.symbolic_shape("time")[0], 3), "float32")
    found = jax.export.export(jax.jit(both))(kind, kind).call(A, B)
    for one, other in zip(
        jax.tree.leaves(found), jax.tree.leaves(both(A, B)), strict=True
    ):
        np.testing.assert_allclose(one, other, 1e-5, 1e-6)
