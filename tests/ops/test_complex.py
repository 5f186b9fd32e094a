"""Complex numbers in every op that takes them, and a refusal in every other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import jax
import numpy as np
import pytest
from generator.op_cases import graph_of
from ops.calls import Called, arrays_of_floats, is_array, is_complex, is_float
from ops.row import TORCH, Row
from ops.rows import ROWS
from ops.test_contract import COMPUTED, assert_close, assert_slopes

import blox as bx
from blox.schema import op_class
from blox.show.flops import measure


def with_parts(x: Any) -> Any:
    """An array of floats with an imaginary part, anything else as it is."""
    if not (is_array(x) and is_float(x)) or is_complex(x):
        return x
    imag = np.random.default_rng(x.size).normal(size=x.shape)
    return (np.asarray(x) + 1j * imag).astype(np.complex64)


def complex_rows(name: str) -> Iterator[Row]:
    """The rows of complex operands, else the first of floats with other operands."""
    given = [
        r for r in ROWS[name] if any(map(is_complex, arrays_of_floats(r.operands)))
    ]
    real = [r for r in ROWS[name] if r.reference != TORCH]
    if given:
        yield from given
    elif real := [r for r in real if arrays_of_floats(r.operands)]:
        yield replace(real[0], operands=jax.tree.map(with_parts, real[0].operands))


def takes_complex(name: str) -> bool:
    cls = op_class(name)
    assert cls is not None
    return cls.COMPLEX


FLOATS = [n for n in COMPUTED if arrays_of_floats([r.operands for r in ROWS[n]])]
CALLED = {
    name if i == 0 else f"{name}-{i}": Called(name, row)
    for name in filter(takes_complex, FLOATS)
    if name not in ("eig", "eigh")
    for i, row in enumerate(complex_rows(name))
}
DISCRETE = ("equal", "is", "not_equal", "count_nonzero", "matrix_rank")
"""How the names begin of ops that give no floats."""
SMOOTH = {n: c for n, c in CALLED.items() if c.row.grad and not n.startswith(DISCRETE)}


@pytest.mark.parametrize("called", CALLED.values(), ids=CALLED)
def test_numbers(called: Called) -> None:
    """What the formula of the row gives for complex numbers, of the type that the shape
    engine finds."""
    found = jax.jit(called.__call__)(*called.given)
    assert_close("reference", found, called.formula(called.given))
    graph = graph_of(called.name, called.row, lead=["batch"])
    table = measure(graph).shapes[graph.program().entries["main"]]["node"]
    assert [known and known.dtype for known in table] == [y.dtype for y in found]


@pytest.mark.slow
@pytest.mark.parametrize("called", SMOOTH.values(), ids=SMOOTH)
def test_slopes(called: Called) -> None:
    """The gradient against differences in float64."""
    outputs, slopes = called.with_slopes(*called.given)
    assert_slopes(called, slopes, outputs)


@pytest.mark.parametrize("name", [n for n in FLOATS if not takes_complex(n)])
def test_refused(name: str) -> None:
    """At validation, by the path of the operand; whatever JAX would make of it."""
    row = next(r for r in ROWS[name] if arrays_of_floats(r.operands))
    row = replace(row, operands=jax.tree.map(with_parts, row.operands))
    report = bx.validate(graph_of(name, row))
    assert not report.ok
    for found in report.errors:
        assert found.code == "dtype"
        assert found.path.startswith("main.node.")
        assert found.message.startswith("expected real numbers")
        assert "found complex64" in found.message


def test_eigenvectors() -> None:
    """Any multiple of one by a number on the unit circle is one too, so that no other
    library has the same."""
    x = with_parts(np.random.default_rng(5).normal(size=(4, 4)))
    x = x + x.conj().T
    w, v = Called("eigh", Row({}, (x,)))((x,), {})
    assert w.dtype == np.float32
    np.testing.assert_allclose(v * w @ v.conj().T, x, 1e-5, 1e-5)
    np.testing.assert_allclose(v.conj().T @ v, np.eye(4), 1e-5, 1e-5)
