"""What every Edit holds: a plan that accounts for all arrays, and Params of its Graph."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from generated_files import inputs_of
from jax.extend.core import ClosedJaxpr
from trees import same_structure

import blox as bx
from blox.schema import Graph


def filled(graph: Graph, dtype: Any = "float32") -> Any:
    """Params of random numbers, which nothing has to be compiled for."""
    draw = np.random.default_rng(0)
    shapes = jax.eval_shape(lambda: bx.init(graph, jax.random.key(0), dtype=dtype))
    return jax.tree.map(
        lambda a: jnp.asarray(draw.normal(size=a.shape), a.dtype), shapes
    )


def assert_exhaustive(edit: bx.Edit) -> None:
    """Each old array is carried or dropped, each new one carried or new; and it is done."""
    before, after = edit.steps[0].before, edit.graph
    old, new = before.program().leaves(), after.program().leaves()
    plan = edit.plan
    made = [row.new for row in plan.carried] + [row.path for row in plan.new]
    assert sorted(made) == sorted(new)
    read = {path for row in plan.carried for path in row.old}
    dropped = {row.path for row in plan.dropped}
    assert not read & dropped
    assert read | dropped == {*old}
    key = jax.random.key(0)
    whole = jax.eval_shape(lambda: bx.init(before, key))
    found = jax.eval_shape(lambda p: edit.carry_over(p, key), whole)
    wanted = jax.eval_shape(lambda: bx.init(after, key))
    assert same_structure(found, wanted)
    assert found == wanted


def program_with(edit: bx.Edit | None, graph: Graph, entry: str) -> ClosedJaxpr:
    """What an entry computes of Params of `graph`, carried over by an edit of it."""
    after = graph if edit is None else edit.graph
    params = jax.eval_shape(lambda: bx.init(graph, jax.random.key(0)))
    args = inputs_of(graph.program().entries[entry], optional=True)
    model = bx.build(after, entry)

    def run(params: Any, *args: Any) -> Any:
        carried = params if edit is None else edit.carry_over(params)
        return jax.tree.leaves(model(carried, *args)[0])

    closed: ClosedJaxpr = jax.make_jaxpr(run)(params, *args)
    return closed
