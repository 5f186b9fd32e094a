"""`jax.lax.scan`: parameters shared by all steps, or stacked and scanned with the xs."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from blox.ops.keys import fold_in
from blox.ops.state import merge
from blox.schema.ops.loops import RepeatScan, Scan
from blox.schema.resolve.program import Step

from ..trees import Act, Context, Env, Outputs, Params, State, Value
from ..values import getters, keys_of, size_of, typed
from .base import Compiler, check_stacked, joined, keeper, ordered, runner, split


def compiled(compiler: Compiler, step: Step, op: Scan) -> Act:
    """The closure of a `scan` node."""
    return scanned(
        compiler, step, op, length=op.length, axis=op.axis, reverse=op.reverse
    )


def scanned(
    compiler: Compiler,
    step: Step,
    op: Scan | RepeatScan,
    *,
    length: int | str | None,
    axis: int | str = 0,
    reverse: bool = False,
    stacked: bool = False,
) -> Act:
    """The closure of a scan over `length` steps, or as many as the xs have.

    With `stacked` every step has parameters and state of its own, else the state goes
    from step to step.
    """
    instance = step.callee().instance
    run = runner(compiler, instance, op.remat, cse=False)
    carry, xs = typed(step, "carry"), typed(step, "xs")
    inputs, keys = getters(step), keys_of(step)
    layered = stacked and bool(step.tree)
    carries_state = not stacked and step.stateful
    keep = keeper(instance)
    indexed = op.index is not None or bool(keys)
    counting = None if op.index is None else jnp.int32  # whatever jax_enable_x64 is

    def act(params: Params, env: Env, context: Context) -> tuple[Outputs, State]:
        if layered:
            check_stacked(params, length)
        at = size_of(axis, env)
        fixed = {n: get(env) for n, get in inputs.items()}
        sliced = {n: get(env, context) for n, get in xs.items()}
        if at != 0:
            sliced = {n: jnp.moveaxis(v, at, 0) for n, v in sliced.items()}
        count = given_length = size_of(length, env)
        if count is None:
            count = next(iter(sliced.values())).shape[0]

        def body(values: Any, slices: Any) -> Any:
            values, state = values if carries_state else (values, None)
            own = params
            if layered:
                own, *slices = slices
            elif carries_state:
                own = merge(params, state)
            i: Value = None
            if indexed:
                *slices, i = slices
            given = {**fixed, **dict(zip(carry, values, strict=True))}
            given.update(zip(sliced, slices, strict=True))
            for name in keys:
                given[name] = fold_in(fixed[name], i)
            if op.index is not None:
                given[op.index] = i
            outputs, state = run(own, ordered(instance, given), context)
            new, others = split(step, outputs, carry)
            if carries_state:
                return (new, state), others
            return new, (others, state)

        first: Any = tuple(get(env, context) for get in carry.values())
        if carries_state:
            first = (first, keep(params, train=context.train))
        over = (
            *((params,) if layered else ()),
            *sliced.values(),
            *((jnp.arange(count, dtype=counting),) if indexed else ()),
        )
        # Without a length of its own it has that of its xs, which may be symbolic.
        last, out = jax.lax.scan(
            body, first, over, length=given_length, reverse=reverse
        )
        if carries_state:
            (final, state), others = last, out
        else:
            final, (others, state) = last, out
        if at != 0:
            others = tuple(jnp.moveaxis(v, 0, at) for v in others)
        return joined(step, carry, final, others), state

    return act
