"""Repeat, scan and map: `jax.lax.scan`, a loop that is unrolled, `jax.vmap`."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from blox.ops.keys import fold_in
from blox.ops.state import kept, merge
from blox.schema.ops.control import Map, Repeat, Scan
from blox.schema.resolve.program import Step

from ..context import Context, lacking
from ..values import Act, Env, getters, keys_of, size_of, slices_of, typed
from .base import join, ordered, runner, split, state_paths

if TYPE_CHECKING:
    from ..interpreter import Interpreter


def scan(interpreter: Interpreter, step: Step) -> Act:
    """A scanned repeat (parameters are xs) or a scan (parameters are shared)."""
    op = step.op
    assert isinstance(op, (Repeat, Scan))
    (instance,) = step.callees
    run = runner(interpreter, instance, op.remat, cse=False)
    carry, xs = typed(step, "carry", instance), typed(step, "xs", instance)
    inputs, keys = getters(step), keys_of(step)
    repeat = isinstance(op, Repeat)
    layered = repeat and bool(step.tree)
    carries_state = not repeat and step.stateful
    paths = state_paths(instance)
    indexed = op.index is not None or bool(keys)
    counting = None if op.index is None else jnp.int32  # whatever jax_enable_x64 is
    chosen = 0 if isinstance(op, Repeat) else op.axis
    reverse = False if isinstance(op, Repeat) else op.reverse
    length = op.count if isinstance(op, Repeat) else op.length

    def act(params: Any, env: Env, context: Context) -> tuple[tuple[Any, ...], Any]:
        if layered:
            _check_stacked(params, length)
        axis = size_of(chosen, env)
        fixed = {n: get(env) for n, get in inputs.items()}
        sliced = {n: get(env, context) for n, get in xs.items()}
        if axis != 0:
            sliced = {n: jnp.moveaxis(v, axis, 0) for n, v in sliced.items()}
        given_length = size_of(length, env)
        count = given_length
        if count is None:
            count = next(iter(sliced.values())).shape[0]

        def body(values: Any, slices: Any) -> Any:
            values, state = values if carries_state else (values, None)
            own = params
            if layered:
                own, *slices = slices
            elif carries_state:
                own = merge(params, state)
            i: Any = None
            if indexed:
                *slices, i = slices
            given = {**fixed, **dict(zip(carry, values, strict=True))}
            given.update(zip(sliced, slices, strict=True))
            for name in keys:
                given[name] = fold_in(fixed[name], i)
            if op.index is not None:
                given[op.index] = i
            outputs, state = run(own, ordered(instance, given), context)
            new, others = split(dict(zip(step.outputs, outputs, strict=True)), carry)
            if carries_state:
                return (new, state), others
            return new, (others, state)

        first: Any = tuple(get(env, context) for get in carry.values())
        if carries_state:
            first = (first, kept(params, paths, train=context.train))
        scanned = (
            *((params,) if layered else ()),
            *sliced.values(),
            *((jnp.arange(count, dtype=counting),) if indexed else ()),
        )
        # Without a length of its own it has that of its xs, which may be symbolic.
        last, out = jax.lax.scan(
            body, first, scanned, length=given_length, reverse=reverse
        )
        if carries_state:
            (final, state), others = last, out
        else:
            final, (others, state) = last, out
        if axis != 0:
            others = tuple(jnp.moveaxis(v, 0, axis) for v in others)
        return join(step, carry, final, others), state

    return act


def unrolled(interpreter: Interpreter, step: Step, used: Collection[int]) -> Act:
    op = step.op
    assert isinstance(op, Repeat)
    runs = [runner(interpreter, c, op.remat, cse=True) for c in step.callees]
    carry = typed(step, "carry", step.callees[0] if step.callees else None)
    xs, inputs, keys = slices_of(step), getters(step), keys_of(step)
    listed = bool(step.tree)
    others = [(i, name) for i, name in enumerate(step.outputs) if name not in carry]
    wanted = [i in used for i, _ in others]  # what nothing uses is not stacked
    if not runs:
        return _no_copies(step, carry, [name for i, name in others if i in used])

    def act(params: Any, env: Env, context: Context) -> tuple[tuple[Any, ...], Any]:
        if listed and not (isinstance(params, list) and len(params) == len(runs)):
            raise lacking(params, f"a list of {len(runs)} copies")
        fixed = {n: get(env) for n, get in inputs.items()}
        sliced = {n: get(env) for n, get in xs.items()}
        for name, value in sliced.items():
            if hasattr(value, "shape") and value.shape[0] != len(runs):
                raise ValueError(
                    f"expected {len(runs)} slices of {name}, found {value.shape[0]}"
                )
        values: tuple[Any, ...] = tuple(get(env, context) for get in carry.values())
        stacked: list[tuple[Any, ...]] = []
        states: list[Any] = []
        for i, run in enumerate(runs):
            given = {**fixed, **dict(zip(carry, values, strict=True))}
            given.update({n: v[i] for n, v in sliced.items()})
            for name in keys:
                given[name] = fold_in(fixed[name], i)
            if op.index is not None:
                given[op.index] = i
            own = params[i] if listed else {}
            outputs, state = run(own, ordered(step.callees[i], given), context)
            values, others = split(dict(zip(step.outputs, outputs, strict=True)), carry)
            stacked.append(others)
            states.append(state)
        joined = tuple(
            jnp.stack(parts) if seen else None
            for parts, seen in zip(zip(*stacked, strict=True), wanted, strict=True)
        )
        return join(step, carry, values, joined), states

    return act


def _no_copies(step: Step, carry: dict[str, Any], stacked: list[str]) -> Act:
    """An unrolled repeat of count 0: the carry as it came, and nothing to stack."""

    def act(params: Any, env: Env, context: Context) -> tuple[tuple[Any, ...], Any]:
        if stacked:
            raise ValueError(
                f"expected at least one copy to stack {stacked[0]!r}, found none"
            )
        values = {n: get(env, context) for n, get in carry.items()}
        return tuple(values.get(n) for n in step.outputs), []

    return act


def mapped(interpreter: Interpreter, step: Step) -> Act:
    op = step.op
    assert isinstance(op, Map)
    (instance,) = step.callees
    run = interpreter.run(instance)
    xs, inputs, keys = slices_of(step), getters(step), keys_of(step)
    layered = op.count is not None and bool(step.tree)

    def act(params: Any, env: Env, context: Context) -> tuple[tuple[Any, ...], Any]:
        if layered:
            _check_stacked(params, op.count)
        axis, count = size_of(op.axis, env), size_of(op.count, env)
        fixed = {n: get(env) for n, get in inputs.items()}
        sliced = {n: get(env) for n, get in xs.items()}
        if count is None:
            count = next(iter(sliced.values())).shape[axis]

        def lane(own: Any, i: Any, *slices: Any) -> Any:
            given = {**fixed, **dict(zip(sliced, slices, strict=True))}
            for name in keys:
                given[name] = fold_in(fixed[name], i)
            return run(own, ordered(instance, given), context)

        axes = (0 if layered else None, 0 if keys else None, *(axis for _ in sliced))
        lanes = jax.vmap(lane, in_axes=axes, out_axes=(axis, 0), axis_size=count)
        result: tuple[tuple[Any, ...], Any] = lanes(
            params, jnp.arange(count) if keys else None, *sliced.values()
        )
        return result

    return act


def _check_stacked(params: Any, count: Any) -> None:
    wanted = f"arrays of {count} stacked copies"
    if not isinstance(params, dict):
        raise lacking(params, wanted)
    for leaf in jax.tree.leaves(params):
        if jnp.shape(leaf)[:1] != (count,):
            raise lacking(leaf, wanted)
