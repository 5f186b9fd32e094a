"""`jax.lax.cond` of functions without operands, of which one runs."""

from __future__ import annotations

from collections.abc import Callable

import jax

from blox.schema.ops.control import Cond
from blox.schema.resolve.program import Called, Step

from ..trees import Act, Context, Env, Outputs, Params, Run, State
from ..values import getter, getters
from .base import Compiler, keeper, ordered, part


def compiled(compiler: Compiler, step: Step, op: Cond) -> Act:
    """The closure of a `cond` node."""
    thunks, predicate = branches(compiler, step), getter(step.operand("predicate"))

    def act(params: Params, env: Env, context: Context) -> tuple[Outputs, State]:
        then, otherwise = thunks(params, env, context)
        result: tuple[Outputs, State] = jax.lax.cond(predicate(env), then, otherwise)
        return result

    return act


def branches(
    compiler: Compiler, step: Step
) -> Callable[[Params, Env, Context], list[Callable[[], tuple[Outputs, State]]]]:
    """Functions without operands, one a callee; each also keeps the others' state."""
    runs = [(c, compiler.run(c.instance)) for c in step.callees]
    stateful = [c for c in step.callees if c.instance.stateful]
    keep = {c.declared.role: keeper(c.instance) for c in stateful}
    inputs = ordered(step.callees[-1].instance, getters(step))

    def thunks(
        params: Params, env: Env, context: Context
    ) -> list[Callable[[], tuple[Outputs, State]]]:
        given = {n: get(env) for n, get in inputs.items()}
        own = {c.declared.role: part(params, c) for c in step.callees}

        def thunk(taken: Called, run: Run) -> Callable[[], tuple[Outputs, State]]:
            def branch() -> tuple[Outputs, State]:
                with jax.named_scope(str(taken.declared.role)):
                    outputs, new = run(own[taken.declared.role], given, context)
                state: dict[str, State] = {}
                for called in stateful:
                    role = str(called.declared.role)
                    if called is taken:
                        state[role] = new
                    else:
                        state[role] = keep[role](own[role], train=context.train)
                return outputs, state

            return branch

        return [thunk(called, run) for called, run in runs]

    return thunks
