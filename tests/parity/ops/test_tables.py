"""Every row of the parity tables: our op gives what the peer gives, and its gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest
from builder.test_recipe_references import network as of_any_recipe
from builder.test_recurrent_recipes import nested, network
from ops.calling import NODE, call
from parity.ops.tables.all_rows import all_rows
from parity.ops.tables.row import Found, Row, differentiated, theirs

import blox as bx
from blox.schema import op_class

pytestmark = pytest.mark.parity
ROWS = [pytest.param(row, id=name) for name, row in all_rows().items()]


def ours(row: Row) -> Found:
    """Outputs of our op in float32, and gradients of their sum times cosines."""
    function = of_op(row) if op_class(row.op) else of_recipe(row)
    return differentiated(function, row.arrays, row.slopes)


def of_op(row: Row) -> Callable[..., list[Any]]:
    """The op as a function of arrays by name; of a list, `xs`, they are xs0, xs1, ..."""
    cls = op_class(row.op)
    assert cls is not None
    names: dict[str, Any] = {}
    for name, mark in cls.fields().operands.items():
        several = [n for n in row.arrays if n.rstrip("0123456789") == name]
        if several:
            names[name] = several if mark.many else name
    op = NODE.validate_python({"op": row.op, **row.attributes, **names})
    assert list(op.problems()) == []
    used = {n for value in names.values() for n in np.ravel(value)}

    def outputs(**given: Any) -> list[Any]:
        def value(name: Any) -> Any:
            return (
                [given[n] for n in name] if isinstance(name, list) else given.get(name)
            )

        operands = [value(names.get(n)) for n in cls.fields().operands]
        params = {n: a for n, a in given.items() if n not in used}
        return jax.tree.leaves(call(op, operands, params, train=row.train))

    return outputs


def of_recipe(row: Row) -> Callable[..., list[Any]]:
    """Attention and recurrent layers, as a Graph that the builder writes."""
    recurrent = row.op in ("lstm", "gru", "simple_rnn")
    operands = ("x", "h", "c", "lengths") if recurrent else ("x", "context", "mask")
    given = {n: row.arrays[n] for n in operands if n in row.arrays}
    if recurrent:
        graph = network(row.op, given, **row.attributes)
    else:
        graph = of_any_recipe(row.op, given, dict(row.attributes))
    model = bx.build(graph)

    def outputs(**arrays: Any) -> list[Any]:
        weights = {n: a for n, a in arrays.items() if n not in given}
        found, _ = model(nested(weights), **{n: arrays[n] for n in given})
        found = found if isinstance(found, dict) else {"y": found}
        return [found[n] for n in ("y", "h", "c") if n in found]

    return outputs


@pytest.mark.parametrize("row", ROWS)
def test_row(row: Row, record_property: Callable[[str, object], None]) -> None:
    record_property("parity rows", row.by)
    (found, slopes), (wanted, their_slopes) = ours(row), theirs(row)
    assert len(found) == len(wanted)
    for a, b in zip(found, wanted, strict=True):
        assert_near(a, b, row.near)
    for name, slope in their_slopes.items():
        assert_near(slopes[name], slope, row.near, f"slope of {name}")


def assert_near(found: Any, wanted: Any, near: float, what: str = "output") -> None:
    """As near as that share of the largest number; NaN and infinities are the same."""
    assert found.shape == wanted.shape, what
    largest = np.max(np.abs(wanted), initial=1.0, where=np.isfinite(wanted))
    np.testing.assert_allclose(found, wanted, near, near * largest, err_msg=what)
