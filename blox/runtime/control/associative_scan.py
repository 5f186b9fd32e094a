"""`jax.lax.associative_scan` of a function over two elements, vmapped over many."""

from __future__ import annotations

from typing import Any

import jax

from blox.schema.ops.loops import AssociativeScan
from blox.schema.resolve.program import Step

from ..trees import Act, Context, Env, Outputs, Params, State, Value
from ..values import getters, size_of, typed
from .base import Compiler, ordered


def compiled(compiler: Compiler, step: Step, op: AssociativeScan) -> Act:
    """The closure of an `associative_scan` node."""
    instance = step.callee().instance
    run = compiler.run(instance)
    xs, inputs = typed(step, "xs"), getters(step)
    names = (*xs, *(op.right[n] for n in xs))
    order = [step.outputs.index(n) for n in xs]

    def act(params: Params, env: Env, context: Context) -> tuple[Outputs, State]:
        axis = size_of(op.axis, env)
        fixed = {n: get(env) for n, get in inputs.items()}
        elements = tuple(get(env, context) for get in xs.values())
        if op.reverse and axis < 0:  # JAX turns axes that count from the front
            axis += elements[0].ndim

        def combine(*both: Value) -> Outputs:
            given = {**fixed, **dict(zip(names, both, strict=True))}
            outputs, _ = run(params, ordered(instance, given), context)
            return tuple(outputs[i] for i in order)

        many = jax.vmap(combine, in_axes=axis, out_axes=axis)

        def function(left: Outputs, right: Outputs) -> Any:
            return many(*left, *right)

        result = jax.lax.associative_scan(
            function, elements, reverse=op.reverse, axis=axis
        )
        found = dict(zip(xs, result, strict=True))
        return tuple(found[n] for n in step.outputs), {}

    return act
