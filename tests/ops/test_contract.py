"""The contract of every op: a row per op, and a missing row fails."""

from __future__ import annotations

import json
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ops.calling import NODE, call, node
from ops.rows import ROWS, TORCH, Row

from blox.dev.op_check import missing, not_carried
from blox.schema import Op, op_class, op_names
from blox.schema.nodes import dump_node
from blox.schema.op import ScopeOp

NAMES = sorted(ROWS)
WITH_ARRAYS = [n for n in NAMES if jax.tree.leaves(ROWS[n].operands)]


def spec_of(name: str) -> Op:
    return node(name, ROWS[name].attributes, ROWS[name].operands)


def outputs(op: Op, row: Row, operands: Any, params: Any, **how: Any) -> Any:
    """The outputs alone, keys as their data."""
    found = call(op, operands, params, **how)
    found = found[0] if op.STATEFUL else found
    return jax.random.key_data(found) if op.OUTPUT_KIND == "key" else found


def jitted(op: Op, row: Row, **how: Any) -> Any:
    return jax.jit(lambda operands, params: outputs(op, row, operands, params, **how))


def as_arrays(tree: Any) -> Any:
    return jax.tree.map(jnp.asarray, tree)


def is_float(x: Any) -> bool:
    return bool(jnp.issubdtype(jnp.result_type(x), jnp.floating))


def is_key(x: Any) -> bool:
    return bool(jnp.issubdtype(jnp.result_type(x), jax.dtypes.prng_key))


def assert_close(found: Any, wanted: Any, tolerance: float = 2e-5) -> None:
    found, wanted = jax.tree.leaves(found), jax.tree.leaves(wanted)
    assert len(found) == len(wanted)
    for a, b in zip(found, wanted, strict=True):
        assert jnp.shape(a) == jnp.shape(b)
        np.testing.assert_allclose(
            np.asarray(a, np.float64), np.asarray(b, np.float64), tolerance, tolerance
        )


def test_every_op_has_a_row() -> None:
    calls = {n for n in op_names() if issubclass(op_class(n) or Op, ScopeOp)}
    assert set(op_names()) - calls == set(ROWS)


def test_classes_and_functions_agree() -> None:
    assert missing() == []


def test_what_a_generated_file_would_lack_is_seen() -> None:
    source = """
import jax
EPS = 1e-5
@jax.jit
def f(x):
    return [EPS + y for y in x]
"""
    assert not_carried(source) == [
        "f would lose its decorator jax.jit",
        "f reads EPS, which is no parameter, function or import",
    ]


@pytest.mark.parametrize("name", [n for n in NAMES if ROWS[n].reference != TORCH])
def test_reference(name: str) -> None:
    row, op = ROWS[name], spec_of(name)
    assert not isinstance(row.reference, str)
    found = jitted(op, row)(as_arrays(row.operands), as_arrays(row.params))
    exact = jax.tree.map(
        lambda x: np.asarray(x, np.float64) if not is_key(x) and is_float(x) else x,
        (row.operands, row.params),
    )
    wanted = row.reference(*exact[0], **{n or "value": p for n, p in exact[1].items()})
    wanted = [np.asarray(w) for w in wanted] if isinstance(wanted, tuple) else wanted
    if isinstance(wanted, list) and not isinstance(found, (tuple, list)):
        wanted = np.asarray(wanted)
    assert_close(found, wanted)


@pytest.mark.parametrize("name", NAMES)
def test_spec_is_kept_in_json(name: str) -> None:
    op = spec_of(name)
    assert list(op.problems()) == []
    assert list(op.resolve({}).problems()) == []
    again = NODE.validate_python(json.loads(json.dumps(dump_node(op))))
    assert again == op
    assert type(again) is type(op)


@pytest.mark.parametrize("name", WITH_ARRAYS)
def test_jit_and_vmap(name: str) -> None:
    """Under jit, vmap gives what single calls give, and so do leading dims."""
    row, op = ROWS[name], spec_of(name)
    one = row.operands
    two = jax.tree.map(lambda x: x[::-1] if np.ndim(x) else x, one)

    def function(*operands: Any) -> Any:
        return outputs(op, row, operands, row.params)

    @jax.jit
    def all_ways(one: Any, two: Any) -> tuple[Any, Any, Any]:
        batch = jax.tree.map(lambda *x: jnp.stack(x), one, two)
        found = jax.tree.map(lambda *x: jnp.stack(x), function(*one), function(*two))
        lead = function(*batch) if row.lead else found
        return found, jax.vmap(function)(*batch), lead

    found, mapped, lead = all_ways(one, two)
    assert_close(mapped, found)
    assert_close(lead, found)


def floats_of(row: Row) -> list[int]:
    """Which leaves of operands and parameters have a gradient."""
    leaves = jax.tree.leaves((row.operands, row.params))
    return [i for i, x in enumerate(leaves) if not is_key(x) and is_float(x)]


@pytest.mark.parametrize(
    "name", [n for n in NAMES if ROWS[n].grad and floats_of(ROWS[n])]
)
def test_gradient_is_finite(name: str) -> None:
    row, op = ROWS[name], spec_of(name)
    leaves, tree = jax.tree.flatten(as_arrays((row.operands, row.params)))
    floats = floats_of(row)

    def loss(inexact: list[jax.Array]) -> jax.Array:
        values = list(leaves)
        for i, value in zip(floats, inexact, strict=True):
            values[i] = value
        operands, params = jax.tree.unflatten(tree, values)
        found = jax.tree.leaves(outputs(op, row, operands, params))
        return sum((jnp.sum(y**2) for y in found if is_float(y)), jnp.zeros(()))

    gradients = jax.jit(jax.grad(loss))([leaves[i] for i in floats])
    for gradient, i in zip(gradients, floats, strict=True):
        assert gradient.shape == leaves[i].shape
        assert bool(jnp.isfinite(gradient).all())


@pytest.mark.parametrize("name", NAMES)
def test_bfloat16_is_kept(name: str) -> None:
    row, op = ROWS[name], spec_of(name)

    def halved(x: Any) -> Any:
        x = jnp.asarray(x)
        return x.astype(jnp.bfloat16) if not is_key(x) and is_float(x) else x

    operands, params = jax.tree.map(halved, (row.operands, row.params))
    found = jitted(op, row, dtype=jnp.bfloat16)(operands, params)
    exact = jax.eval_shape(
        jitted(op, row), as_arrays(row.operands), as_arrays(row.params)
    )
    for half, full in zip(jax.tree.leaves(found), jax.tree.leaves(exact), strict=True):
        assert half.shape == full.shape
        if is_float(full):
            assert half.dtype == (jnp.bfloat16 if row.keeps else jnp.float32)
        else:
            assert half.dtype == full.dtype
