"""Nodes that run functions: calls, loops and branches."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from blox.schema.ops.control import Call, Cond, Map, Repeat, Scan, WhileLoop
from blox.schema.resolve.program import Step

from ..context import Context
from ..values import Act, Env, getters
from .base import ordered, runner
from .branches import cond, while_loop
from .loops import mapped, scan, unrolled

if TYPE_CHECKING:
    from ..interpreter import Interpreter


def control(interpreter: Interpreter, step: Step, used: Collection[int]) -> Act:
    """The closure of a node that runs functions; `used` are the outputs that are."""
    match step.op:
        case Call():
            return _call(interpreter, step)
        case Repeat(scan=False):
            return unrolled(interpreter, step, used)
        case Repeat() | Scan():
            return scan(interpreter, step)
        case Map():
            return mapped(interpreter, step)
        case Cond():
            return cond(interpreter, step)
        case WhileLoop():
            return while_loop(interpreter, step)
    raise AssertionError(step.op.op)


def _call(interpreter: Interpreter, step: Step) -> Act:
    assert isinstance(step.op, Call)
    (instance,) = step.callees
    run = runner(interpreter, instance, step.op.remat, cse=True)
    inputs = ordered(instance, getters(step))

    def act(params: Any, env: Env, context: Context) -> tuple[tuple[Any, ...], Any]:
        return run(params, {n: get(env) for n, get in inputs.items()}, context)

    return act
