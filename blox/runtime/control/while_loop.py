"""`jax.lax.while_loop` over (carry, step, state), each where there is one."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from blox.ops.keys import fold_in
from blox.ops.state import merge
from blox.schema.ops.loops import WhileLoop
from blox.schema.resolve.program import Step

from ..trees import Act, Context, Env, Outputs, Params, State, Value
from ..values import getters, keys_of, size_of, typed
from .base import Compiler, joined, keeper, ordered, part, split


def compiled(compiler: Compiler, step: Step, op: WhileLoop) -> Act:
    """The closure of a `while_loop` node."""
    cond, body = step.callee("cond"), step.callee("body")
    test, run = compiler.run(cond.instance), compiler.run(body.instance)
    carry, inputs, keys = typed(step, "carry"), getters(step), keys_of(step)
    counted = bool(keys) or op.max_steps is not None or op.index is not None
    keep = keeper(body.instance)

    def act(params: Params, env: Env, context: Context) -> tuple[Outputs, State]:
        fixed = {n: get(env) for n, get in inputs.items()}
        condition, own = part(params, cond), part(params, body)
        limit = size_of(op.max_steps, env)

        def given(values: Outputs, i: Value) -> dict[str, Value]:
            merged = {**fixed, **dict(zip(carry, values, strict=True))}
            for name in keys:
                merged[name] = fold_in(fixed[name], i)
            if op.index is not None:
                merged[op.index] = i
            return merged

        def go_on(loop: tuple[Outputs, Value, State]) -> Any:
            values, i, _ = loop
            arguments = ordered(cond.instance, given(values, i))
            with jax.named_scope("cond"):
                (result,), _ = test(condition, arguments, context)
            return result if limit is None else result & (i < limit)

        def advance(loop: tuple[Outputs, Value, State]) -> Any:
            values, i, state = loop
            now = merge(own, state) if step.stateful else own
            arguments = ordered(body.instance, given(values, i))
            with jax.named_scope("body"):
                outputs, state = run(now, arguments, context)
            new, _ = split(step, outputs, carry)
            return new, i + 1 if counted else None, state

        first = tuple(get(env, context) for get in carry.values())
        start = jnp.asarray(0, jnp.int32) if counted else None
        state = keep(own, train=context.train) if step.stateful else {}
        final, _, state = jax.lax.while_loop(go_on, advance, (first, start, state))
        return joined(step, carry, final, ()), {"body": state} if step.stateful else {}

    return act
