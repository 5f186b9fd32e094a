"""Calls of a function."""

from __future__ import annotations

from blox.schema.ops.control import Call
from blox.schema.resolve.program import Step

from ..trees import Act, Context, Env, Outputs, Params, State
from ..values import getters
from .base import Compiler, ordered, runner


def compiled(compiler: Compiler, step: Step, op: Call) -> Act:
    """The closure of a `call` node."""
    instance = step.callee().instance
    run = runner(compiler, instance, op.remat, cse=True)
    inputs = ordered(instance, getters(step))

    def act(params: Params, env: Env, context: Context) -> tuple[Outputs, State]:
        return run(params, {n: get(env) for n, get in inputs.items()}, context)

    return act
