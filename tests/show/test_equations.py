"""Operations of jaxprs, counted by hand."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest

from blox.shapes.symbolic import Symbols
from blox.show.equations import Equations

NONE = Symbols(iter(()), {}, [], {})


@pytest.mark.parametrize(("groups", "size"), [(1, 9), (2, 8), (4, 1)])
def test_a_transposed_convolution_spreads_each_element_once(
    groups: int, size: int
) -> None:
    kernel = jnp.ones((3, 8 // groups, 12))

    def transposed(x: Any) -> Any:
        return jax.lax.conv_general_dilated(
            x, kernel, [1], [(2, 2)], lhs_dilation=[2], feature_group_count=groups,
            dimension_numbers=("NHC", "HIO", "NHC"),
        )  # fmt: skip

    x = jnp.ones((2, size, 8))
    # Of ones, each element given is the number of the products that it sums.
    assert counted(transposed, x) == 2 * int(transposed(x).sum())


def counted(function: Any, *args: Any) -> int | None:
    return Equations(NONE)(jax.make_jaxpr(function)(*args)).number


X = jnp.ones((4, 6))
INTEGERS = jnp.ones((4, 6), jnp.int32)


@pytest.mark.parametrize(
    ("function", "wanted"),
    [
        (lambda x: x + 1, 24),
        (lambda x: jnp.tanh(x), 24),
        (lambda x: x.sum(0), 24),
        (lambda x: x.max(), 24),
        (lambda x: jnp.argmax(x, 1), 24),
        (lambda x: jnp.cumsum(x, 1), 24),
        (lambda x: jax.lax.reduce_window(x, 0.0, jax.lax.add, (2, 3), (2, 3), "VALID"), 24),
        (lambda x: x.at[0].add(jnp.ones(6)), 6),
        (lambda x: x.T.reshape(3, 8)[::2].astype(jnp.bfloat16), 0),
        (lambda x: jnp.sort(jnp.pad(x, 1)), 0),
        (lambda x: jnp.where(x > 0, x, 0.0), 24),
        (lambda x: INTEGERS * 2 + 1, 0),
        (lambda x: INTEGERS @ INTEGERS.T, 2 * 4 * 4 * 6),
        (lambda x: jax.jit(jax.checkpoint(jnp.sin))(x), 24),
        (lambda x: jax.nn.relu(x), 24),
        (lambda x: jax.lax.scan(lambda c, r: (c + r, None), x[0], x)[0], 24),
        (lambda x: jax.lax.cond(x[0, 0] > 0, jnp.sin, lambda x: x @ x.T @ x, x), 1 + 2 * 192),
        (lambda x: jnp.tile(jnp.stack([x, x, x]), (2, 1, 1)), 0),
        (lambda x: jnp.linalg.qr(x)[0], None),
        (lambda x: jnp.fft.rfft(x), 24 * 5 * 3 // 2),
        (lambda x: jnp.fft.fft(jnp.tile(x + 1j, 6)[:, :32]), 24 + 4 * 32 * 5 * 5),
        (lambda x: jnp.fft.irfft(jnp.fft.rfft(x)), 2 * 24 * 5 * 3 // 2),
        (lambda x: jax.lax.while_loop(lambda c: c[0, 0] > 0, jnp.sin, x), None),
    ],
)  # fmt: skip
def test_an_equation_is_an_operation_an_element(function: Any, wanted: Any) -> None:
    """Of what it gives, of what it takes if it reduces that; moving data is none."""
    assert counted(function, X) == wanted


def test_a_size_of_many_terms_is_not_looked_into() -> None:
    names = [f"n{i}" for i in range(400)]
    dims = jax.export.symbolic_shape(", ".join(names))
    equations = Equations(NONE)
    assert str(equations.size(sum(dims[:100], 1))).endswith(" + ?")
    assert str(equations.size(sum(dims, 1))) == "?"
