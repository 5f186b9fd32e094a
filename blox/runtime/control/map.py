"""`jax.vmap` over an axis of xs, parameters stacked or shared."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from blox.ops.keys import fold_in
from blox.schema.ops.loops import Map
from blox.schema.resolve.program import Step

from ..trees import Act, Context, Env, Outputs, Params, State, Value
from ..values import getters, keys_of, size_of, slices_of
from .base import Compiler, check_stacked, ordered


def compiled(compiler: Compiler, step: Step, op: Map) -> Act:
    """The closure of a `map` node."""
    instance = step.callee().instance
    run = compiler.run(instance)
    xs, inputs, keys = slices_of(step), getters(step), keys_of(step)
    layered = op.count is not None and bool(step.tree)

    def act(params: Params, env: Env, context: Context) -> tuple[Outputs, State]:
        if layered:
            check_stacked(params, op.count)
        axis, count = size_of(op.axis, env), size_of(op.count, env)
        fixed = {n: get(env) for n, get in inputs.items()}
        sliced = {n: get(env) for n, get in xs.items()}
        if count is None:
            count = next(iter(sliced.values())).shape[axis]

        def lane(own: Params, i: Value, *slices: Value) -> tuple[Outputs, State]:
            given = {**fixed, **dict(zip(sliced, slices, strict=True))}
            for name in keys:
                given[name] = fold_in(fixed[name], i)
            return run(own, ordered(instance, given), context)

        axes = (0 if layered else None, 0 if keys else None, *(axis for _ in sliced))
        lanes = jax.vmap(lane, in_axes=axes, out_axes=(axis, 0), axis_size=count)
        result: tuple[Outputs, State] = lanes(
            params, jnp.arange(count) if keys else None, *sliced.values()
        )
        return result

    return act
