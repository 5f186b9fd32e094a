"""An unrolled repeat: a call for each of a list of copies."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

from blox.ops.keys import fold_in
from blox.ops.state import merge
from blox.schema.ops.loops import RepeatList
from blox.schema.resolve.program import Step

from ..context import as_array, lacking
from ..trees import Act, Context, Env, Outputs, Params, State, Value
from ..values import getters, keys_of, slices_of, typed
from .base import (
    Compiler,
    check_slices,
    joined,
    no_copies,
    ordered,
    runner,
    split,
)


def compiled(compiler: Compiler, step: Step, op: RepeatList) -> Act:
    """The closure of a `repeat` node without `scan`."""
    called = step.callee()
    if called.declared.empty:
        return no_copies(step)
    count = called.copies
    cycle = [runner(compiler, i, op.remat, cse=True) for i in called.cycle]
    carry, xs = typed(step, "carry"), slices_of(step)
    inputs, keys = getters(step), keys_of(step)
    listed = bool(step.tree) and not op.shared
    others = [i for i, name in enumerate(step.outputs) if name not in carry]
    gather = [_gathered(step, i) for i in others]

    def act(params: Params, env: Env, context: Context) -> tuple[Outputs, State]:
        own: list[Params] = [params] * count
        if listed:
            if not isinstance(params, list) or len(params) != count:
                raise lacking(params, f"a list of {count} copies")
            own = params
        passed: State = {}
        fixed = {n: get(env) for n, get in inputs.items()}
        sliced = {n: get(env) for n, get in xs.items()}
        check_slices(sliced, count)
        values: Outputs = tuple(get(env, context) for get in carry.values())
        stacked: list[Outputs] = []
        states: list[State] = []
        for i in range(count):
            given = {**fixed, **dict(zip(carry, values, strict=True))}
            given.update({n: v[i] for n, v in sliced.items()})
            for name in keys:
                given[name] = fold_in(fixed[name], i)
            if op.index is not None:
                given[op.index] = i
            run, arguments = cycle[i % len(cycle)], ordered(called.instance, given)
            with jax.named_scope(str(i)):
                outputs, state = run(
                    merge(own[i], passed) if passed else own[i], arguments, context
                )
            if op.shared:
                passed = state
            values, rest = split(step, outputs, carry)
            stacked.append(rest)
            states.append(state)
        columns = tuple(
            made(parts)
            for made, parts in zip(gather, zip(*stacked, strict=True), strict=True)
        )
        return joined(step, carry, values, columns), passed if op.shared else states

    return act


def _gathered(step: Step, i: int) -> Callable[[Sequence[Value]], Value]:
    """What the step gives of output `i` of its copies: nothing where nothing uses it."""
    if i not in step.used:
        return lambda parts: None
    if i in step.copies:
        return lambda parts: [*map(as_array, parts)]
    return jnp.stack
