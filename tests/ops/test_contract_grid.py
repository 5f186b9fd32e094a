"""The contract at every batch: loaded model, generated file and function give one result."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from generated_files import executed, functions
from generator.op_cases import graph_of
from ops.calls import Called, is_array, is_key
from ops.rows import ROWS

import blox as bx

BATCHES = [(), (2,), (2, 3), (0,), (2, 0)]
GRID = [
    pytest.param(Called(name, row), batch, id=f"{name}-{i}-{batch}")
    for name, rows in ROWS.items()
    for i, row in enumerate(rows)
    for batch in (BATCHES if row.lead and row.operands else BATCHES[:1])
]


@pytest.mark.slow
@pytest.mark.parametrize(("called", "batch"), GRID)
def test_numbers_of_loaded_and_generated(
    called: Called, batch: tuple[int, ...]
) -> None:
    graph = graph_of(called.name, called.row, lead=["..."])
    operands = batched(called, batch)
    given = named(called, operands)
    if called.op.OUTPUT_KIND == "key":  # what reads the key has an input of its own
        given["node_x"] = jnp.ones(3)
    params = jax.tree.map(jnp.asarray, stored(called))
    train = called.op.TRAIN or called.row.attributes.get("training", False)
    loaded, generated = functions(graph, executed(bx.generate(graph)), "main", train)
    ours = jax.jit(lambda params, given: loaded(params, **given))(params, given)
    order = list(graph.program().entries["main"].function.inputs)
    theirs = jax.jit(
        lambda params, given: generated(params, *(given[n] for n in order))
    )
    for a, b in zip(*map(jax.tree.leaves, (ours, theirs(params, given))), strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        np.testing.assert_array_equal(data(a), data(b))
    if called.op.OUTPUT_KIND == "tensor" and not called.keyed:  # a node folds its key
        direct = jax.jit(lambda: called(operands, called.params))()
        several = graph.program().entries["main"].function.outputs
        found = [ours[0][n] for n in several] if len(several) > 1 else [ours[0]]
        for a, b in zip(jax.tree.leaves(found), direct, strict=True):
            assert (a.shape, a.dtype) == (b.shape, b.dtype)
            np.testing.assert_allclose(data(a), data(b), 2e-5, 2e-5)


def batched(called: Called, batch: tuple[int, ...]) -> tuple[Any, ...]:
    """The operands with other numbers in every place of a batch."""

    def one(x: Any) -> Any:
        if not is_array(x):
            return x
        count = np.prod(batch, dtype=int)
        places = [np.roll(x, i) if np.ndim(x) else x for i in range(count)]
        found = np.asarray(places, x.dtype) if not is_key(x) else jnp.stack(places)
        return jnp.asarray(found).reshape(*batch, *np.shape(x))

    def of(x: Any) -> Any:
        return jax.tree.map(one, x)

    return called.batch(called.row.operands, of) if batch else called.row.operands


def named(called: Called, operands: tuple[Any, ...]) -> dict[str, Any]:
    """The inputs of the Graph, as `add_node` calls them."""
    found: dict[str, Any] = {}
    fields = called.op.fields().operands.items()
    for (field, mark), value in zip(fields, operands, strict=False):
        if field == called.op.ASSIGNS:
            continue  # a node of state
        if mark.many:
            found |= {f"node_{field[:-1]}{i}": x for i, x in enumerate(value)}
        else:
            found[f"node_{field}"] = value
    return {name: x for name, x in found.items() if is_array(x)}


def stored(called: Called) -> dict[str, Any]:
    """The Params of a Graph with the one node, and what it assigns to."""
    params = called.params
    found = {"node": params.get("", params)} if params else {}
    if called.op.ASSIGNS:
        place = [*called.op.fields().operands].index(called.op.ASSIGNS)
        found["node_state"] = called.row.operands[place]
    return found


def data(x: Any) -> Any:
    return np.asarray(jax.random.key_data(x) if is_key(x) else x)
