"""`jax.lax.switch` of functions without operands, of which one runs."""

from __future__ import annotations

import jax

from blox.schema.ops.control import Switch
from blox.schema.resolve.program import Step

from ..trees import Act, Context, Env, Outputs, Params, State
from ..values import getter
from .base import Compiler
from .cond import branches


def compiled(compiler: Compiler, step: Step, op: Switch) -> Act:
    """The closure of a `switch` node."""
    thunks, index = branches(compiler, step), getter(step.operand("index"))

    def act(params: Params, env: Env, context: Context) -> tuple[Outputs, State]:
        taken = thunks(params, env, context)
        result: tuple[Outputs, State] = jax.lax.switch(index(env), taken)
        return result

    return act
