"""Every primitive of `jax.lax` has a rule or a reason, and what a rule writes computes the
same."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.extend.core import Primitive, primitives

import blox as bx
from blox.importers.jax import rules
from blox.importers.jax.flatten import INNER
from blox.importers.jax.lower import RULES
from blox.importers.jax.refused import REFUSED

POSITIVE = np.array([[0.2, 0.5, 0.9], [0.1, 0.7, 0.6]], np.float32)
SIGNED = np.array([[-2.5, -0.5, 0.0], [0.5, 1.5, 3.7]], np.float32)
OTHER = np.array([[1.5, -0.5, 2.0], [-3.0, 0.25, 3.7]], np.float32)
WHOLE = np.array([[-7, 0, 5, 2**30], [-(2**31), 3, -1, 9]], np.int32)
PARTS = np.array([[2, 0, -3, 7], [-1, 2, 5, -4]], np.int32)
TRUE = np.array([[True, False, True], [False, False, True]])
MATRICES = np.random.default_rng(0).normal(size=(2, 3, 3)).astype("float32")

Case = tuple[Callable[..., Any], tuple[np.ndarray, ...]]


def each(*functions: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *xs: [f(*xs) for f in functions]


def known() -> set[str]:
    """The names of all primitives that JAX's public modules have."""
    modules = (lax, lax.linalg, primitives)
    found = (getattr(m, name) for m in modules for name in dir(m))
    return {p.name for p in found if isinstance(p, Primitive)}


def test_every_primitive_has_a_rule_or_a_reason() -> None:
    assert rules.__all__
    assert not known() - set(RULES) - set(INNER) - set(REFUSED)
    assert not set(RULES) & set(REFUSED)


def in_order(named: dict[str, Any]) -> list[Any]:
    """Outputs by the places in their names."""
    places = {name: [*map(int, re.findall(r"\d+", name))] for name in named}
    return [named[name] for name in sorted(named, key=lambda n: places[n])]


def compared(
    function: Callable[..., Any], given: tuple[np.ndarray, ...], rtol: float = 1e-6
) -> bx.Graph:
    """Imports with a symbolic batch, and compares values, shapes and dtypes."""
    inputs = {
        f"x{i}": bx.Input(
            ["batch", *x.shape[1:]] if x.ndim else [],
            "float" if x.dtype == np.float32 else str(x.dtype),
        )
        for i, x in enumerate(given)
    }
    graph: bx.Graph
    graph, params, _ = bx.from_jax(
        lambda *xs: function(*xs), inputs, name="imported", check=False
    )
    named = jax.jit(bx.build(graph))(params, *given)[0]
    found = in_order(named) if isinstance(named, dict) else [named]
    wanted = jax.tree.leaves(jax.jit(function)(*map(jnp.asarray, given)))
    assert len(found) == len(wanted)
    for number, (a, b) in enumerate(zip(found, wanted, strict=True)):
        assert a.dtype == b.dtype, number
        np.testing.assert_allclose(a, b, rtol, 1e-6, err_msg=str(number))
    return graph


CASES: dict[str, Case] = {
    "floats": (
        each(
            *(
                lax.abs,
                lax.ceil,
                lax.cos,
                lax.cosh,
                lax.erf,
                lax.erfc,
                lax.exp,
                lax.exp2,
            ),
            *(lax.expm1, lax.floor, lax.is_finite, lax.logistic, lax.neg, lax.sign),
            *(lax.sin, lax.sinh, lax.square, lax.tan, lax.tanh, lax.cbrt, lax.atan),
            *(lax.asinh, lax.bessel_i0e, lax.bessel_i1e, lax.stop_gradient),
            lambda x: lax.integer_pow(x, 3),
            lambda x: lax.integer_pow(x, 2),
            lambda x: lax.reduce_precision(x, 5, 4),
            lambda x: lax.round(x, lax.RoundingMethod.TO_NEAREST_EVEN),
            lambda x: lax.round(x, lax.RoundingMethod.AWAY_FROM_ZERO),
            lambda x: lax.clamp(-0.5, x, 0.5),
            lambda x: lax.bitcast_convert_type(x, jnp.int32),
            lambda x: lax.convert_element_type(x, jnp.int8),
            lambda x: lax.convert_element_type(x, jnp.bool_),
            lambda x: lax.convert_element_type(x, jnp.bfloat16),
        ),
        (SIGNED,),
    ),
    "floats within bounds": (
        each(
            *(lax.acos, lax.asin, lax.atanh, lax.digamma, lax.erf_inv, lax.lgamma),
            *(lax.log, lax.log1p, lax.rsqrt, lax.sqrt),
            lambda x: lax.acosh(x + 1),
            lambda x: lax.igamma(x, x + 0.5),
            lambda x: lax.igammac(x, x + 0.5),
            lambda x: lax.betainc(x, x + 1, x),
            lambda x: lax.zeta(x + 1, x + 2),
            lambda x: lax.polygamma(jnp.full_like(x, 2.0), x),
        ),
        (POSITIVE,),
    ),
    "two floats": (
        each(
            *(lax.add, lax.atan2, lax.div, lax.eq, lax.ge, lax.gt, lax.le, lax.lt),
            *(lax.max, lax.min, lax.mul, lax.ne, lax.nextafter, lax.rem, lax.sub),
            lambda a, b: lax.pow(jnp.abs(a), b),
            lambda a, b: lax.clamp(a, a * b, b),
            lambda a, b: lax.clamp(lax.min(a, b), a * b, lax.max(a, b)),
            lambda a, b: lax.select_n(
                lax.convert_element_type(a, int) % 3, a, b, a * b
            ),
            lambda a, b: jnp.where(a > b, 1.0, -0.0),
            lambda a, b: [lax.lt_to_p.bind(a, b), lax.le_to_p.bind(a, -b)],
            lambda a, b: lax.optimization_barrier((a, b)),
        ),
        (SIGNED, OTHER),
    ),
    "two integers": (
        each(
            *(
                lax.bitwise_and,
                lax.bitwise_or,
                lax.bitwise_xor,
                lax.div,
                lax.rem,
                lax.mul,
            ),
            *(lax.max, lax.mulhi, lax.shift_left, lax.shift_right_arithmetic),
            *(lax.shift_right_logical, jnp.floor_divide, jnp.remainder),
            lambda a, b: lax.rem(a, jnp.int32(-3)),
            lambda a, b: lax.div(a, jnp.int32(4)),
            lambda a, b: [lax.bitwise_not(a), lax.clz(a), lax.population_count(a)],
            lambda a, b: lax.bitcast_convert_type(a, jnp.uint8),
            lambda a, b: lax.bitwise_and(a.astype("uint32"), jnp.uint32(0xFFFF0000)),
            lambda a, b: [x.astype("uint8").sum(dtype="uint8") for x in (a, b)],
            lambda a, b: lax.integer_pow(a, 3),
        ),
        (WHOLE, PARTS),
    ),
    "booleans": (
        each(
            *(lax.bitwise_and, lax.bitwise_or, lax.bitwise_xor),
            lambda a, b: [lax.bitwise_not(a), a.astype(float), b.astype("int8")],
            lambda a, b: [lax.reduce_and(a, (0,)), lax.reduce_or(a, (1,))],
            lambda a, b: lax.reduce_xor(a, (1,)),
            lambda a, b: jnp.where(a, b, True),
            lambda a, b: lax.max(a, b),
        ),
        (TRUE, TRUE[::-1]),
    ),
    "complex numbers": (
        each(
            lambda a, b: lax.complex(a, b),
            lambda a, b: [lax.real(lax.complex(a, b) * (1 + 2j)), lax.conj(a)],
            lambda a, b: [lax.conj(lax.complex(a, b)), lax.abs(lax.complex(a, b))],
            lambda a, b: lax.complex(a, b) + jnp.array([1j, 2.0, 3 - 1j]),
            lambda a, b: lax.imag(lax.exp(lax.complex(a, b))),
            lambda a, b: lax.convert_element_type(
                jnp.real(lax.complex(a, b)), jnp.int8
            ),
            lambda a, b: [jnp.fft.fft(a), jnp.fft.ifft(a), jnp.fft.rfft(a)],
            lambda a, b: jnp.fft.irfft(lax.complex(a, b), 4),
            lambda a, b: jnp.fft.fftn(b, axes=(1,)),
            lambda a, b: jnp.fft.irfft2(jnp.fft.rfft2(b[:, :, None] * jnp.ones(4))),
        ),
        (SIGNED, OTHER),
    ),
    "along axes": (
        each(
            lambda x: [lax.cumsum(x, 1), lax.cumsum(x, 0, reverse=True)],
            lambda x: [lax.cumprod(x, 1), lax.cumlogsumexp(x, 1, reverse=True)],
            lambda x: [lax.cummax(x, 0), lax.cummin(x.T, 0).T],
            lambda x: [lax.rev(x, (0,)), lax.rev(x.T, (0, 1))],
            lambda x: [lax.argmax(x, 1, jnp.int32), lax.argmin(x, 0, jnp.uint8)],
            lambda x: [jnp.sum(x.T, 0), jnp.prod(x, 1), jnp.max(x), jnp.min(x, (0, 1))],
            lambda x: [lax.tile(x, (1, 2)), jnp.stack([x, x + 1], 1)],
            lambda x: [lax.expand_dims(x, (1,)), *jnp.unstack(x, axis=1)],
            lambda x: lax.reshape(x[:, :2, None], (2, x.shape[0]), (1, 0, 2)),
            lambda x: lax.broadcasted_iota(jnp.int32, (3, 4, 2), 1),
        ),
        (SIGNED,),
    ),
    "order": (
        each(
            lambda a, b: [lax.sort(a), lax.sort(b, dimension=0)],
            lambda a, b: lax.sort((a, b), num_keys=1),
            lambda a, b: lax.sort((lax.round(a), b, a * b), dimension=0, num_keys=2),
            lambda a, b: [jnp.argsort(a), jnp.argsort(b, 0), jnp.lexsort((a, b))],
            lambda a, b: [*lax.top_k(a, 2), *lax.top_k(b.T, 1)],
        ),
        (SIGNED, OTHER),
    ),
    "matrices": (
        each(
            lambda x: lax.linalg.cholesky(x @ x.mT + jnp.eye(3)),
            lambda x: lax.linalg.cholesky(x / 9 + jnp.eye(3), symmetrize_input=False),
            lambda x: jnp.linalg.cholesky(x @ x.mT + jnp.eye(3)),
            lambda x: [jnp.linalg.eigvalsh(x), jnp.abs(jnp.linalg.eigh(x)[1])],
            lambda x: lax.linalg.eigh(x, lower=False, symmetrize_input=False)[1],
            lambda x: [lax.linalg.qr(x)[1], lax.linalg.qr(x[:, :, :2])[0]],
            lambda x: [lax.linalg.svd(x)[1], jnp.linalg.svdvals(x)],
            lambda x: lax.linalg.triangular_solve(x, x + 1, lower=True, left_side=True),
            lambda x: lax.linalg.triangular_solve(x, x[:, :2], transpose_a=True),
            lambda x: lax.linalg.triangular_solve(x, x[:, 1:], unit_diagonal=True),
            lambda x: [lax.linalg.lu(x)[0], lax.linalg.lu(x)[2]],
            lambda x: [lax.linalg.lu(x[:, :2])[0], lax.linalg.lu(x[:, :, :2])[0]],
        ),
        (MATRICES,),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_a_rule_writes_computes_the_same(name: str) -> None:
    function, given = CASES[name]
    compared(function, given, 1e-4 if name == "matrices" else 1e-6)


def test_a_clamp_has_the_gradient_of_lax_at_its_bounds() -> None:
    def loss(x: jax.Array) -> jax.Array:
        return jnp.sum(lax.clamp(0.0, x, 1.0) ** 2 + x)

    x = jnp.array([-1.0, 0.0, 0.5, 1.0, 2.0])
    graph, params, _ = bx.from_jax(
        loss, {"x": bx.Input([5])}, name="clamped", check=False
    )
    found = jax.grad(lambda x: bx.build(graph)(params, x)[0])(x)
    np.testing.assert_array_equal(found, jax.grad(loss)(x))


def test_what_is_known_is_computed_and_what_is_large_is_a_buffer() -> None:
    def drawn(x: jax.Array) -> jax.Array:
        key, dead = jax.random.split(jax.random.key(3))
        jax.random.bits(dead, (7,))
        many = (jax.random.bits(key, (17, 4)) >> 29).astype(jnp.float32)
        few = jnp.array([1.0, 2.0, 4.0, 8.0]) * jnp.sqrt(4.0)
        return x @ many * few + jnp.tril(jnp.ones((4, 4))).sum(0)

    graph = compared(drawn, (np.ones((2, 17), np.float32),))
    ops = [node.op for node in graph.functions["main"].nodes.values()]
    assert (ops.count("constant"), ops.count("buffer")) == (1, 1)
    assert not {"right_shift_logical", "sqrt"} & {*ops}
    assert "arange" in ops


def test_what_no_op_is_has_its_reason() -> None:
    def several(x: jax.Array) -> Any:
        return lax.linalg.tridiagonal_solve(x, x, x, x[:, None]), lax.linalg.schur(
            x[:, None] + x
        )

    with pytest.raises(bx.SpecError, match="no op of blox solves such systems"):
        bx.from_jax(several, {"x": bx.Input([4])}, name="several")
