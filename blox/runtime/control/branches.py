"""Cond and while_loop, as in `jax.lax`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from blox.ops.keys import fold_in
from blox.ops.state import kept, merge
from blox.schema.ops.control import WhileLoop
from blox.schema.resolve.program import Instance, Step

from ..context import Context, lookup
from ..values import Act, Env, getter, getters, keys_of, size_of, typed
from .base import join, ordered, split, state_paths

if TYPE_CHECKING:
    from ..interpreter import Interpreter


def cond(interpreter: Interpreter, step: Step) -> Act:
    names = ("then", "else")
    runs = [interpreter.run(c) for c in step.callees]
    inputs = ordered(step.callees[0], getters(step))
    predicate = getter(step.args["predicate"])
    paths = [state_paths(c) for c in step.callees]

    def act(params: Any, env: Env, context: Context) -> tuple[tuple[Any, ...], Any]:
        given = {n: get(env) for n, get in inputs.items()}
        own = [_part(params, n, c) for n, c in zip(names, step.callees, strict=True)]

        def branch(taken: int) -> Callable[[], Any]:
            def run() -> Any:
                outputs, new = runs[taken](own[taken], given, context)
                state = {
                    n: new
                    if i == taken
                    else kept(own[i], paths[i], train=context.train)
                    for i, n in enumerate(names)
                    if step.callees[i].stateful
                }
                return outputs, state

            return run

        result: tuple[tuple[Any, ...], Any] = jax.lax.cond(
            predicate(env), branch(0), branch(1)
        )
        return result

    return act


def while_loop(interpreter: Interpreter, step: Step) -> Act:
    op = step.op
    assert isinstance(op, WhileLoop)
    cond, body = step.callees
    test, run = interpreter.run(cond), interpreter.run(body)
    carry = typed(step, "carry", body)
    inputs, keys = getters(step), keys_of(step)
    counted = bool(keys) or op.max_steps is not None
    paths = state_paths(body)

    def act(params: Any, env: Env, context: Context) -> tuple[tuple[Any, ...], Any]:
        fixed = {n: get(env) for n, get in inputs.items()}
        condition, own = _part(params, "cond", cond), _part(params, "body", body)
        limit = size_of(op.max_steps, env)

        def given(values: Any, i: Any) -> dict[str, Any]:
            merged = {**fixed, **dict(zip(carry, values, strict=True))}
            for name in keys:
                merged[name] = fold_in(fixed[name], i)
            return merged

        def go_on(loop: Any) -> Any:
            values, i, _ = loop
            (result,), _ = test(condition, ordered(cond, given(values, i)), context)
            return result if limit is None else result & (i < limit)

        def advance(loop: Any) -> Any:
            values, i, state = loop
            now = merge(own, state) if step.stateful else own
            outputs, state = run(now, ordered(body, given(values, i)), context)
            new, _ = split(dict(zip(step.outputs, outputs, strict=True)), carry)
            return new, i + 1 if counted else None, state

        first = tuple(get(env, context) for get in carry.values())
        start = jnp.asarray(0, jnp.int32) if counted else None
        state = kept(own, paths, train=context.train) if step.stateful else {}
        final, _, state = jax.lax.while_loop(go_on, advance, (first, start, state))
        return join(step, carry, final, ()), {"body": state} if step.stateful else {}

    return act


def _part(params: Any, name: str, instance: Instance) -> Any:
    return lookup(params, (name,)) if instance.tree else {}
