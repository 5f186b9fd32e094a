"""Calls, loops and branches: JAX's own, over the closures of the instances."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from blox.ops.keys import fold_in
from blox.ops.state import kept, merge
from blox.schema.expressions import evaluate
from blox.schema.ops.control import Call, Cond, Map, Repeat, Scan, WhileLoop
from blox.schema.program import Instance, Step, flatten, literal_dtype

from .context import Context, Run, lacking, lookup

if TYPE_CHECKING:
    from .interpret import Act, Env, Getter, Interpreter


def control(interpreter: Interpreter, step: Step, used: Collection[int]) -> Act:
    """The closure of a node that runs functions; `used` are the outputs that are."""
    match step.op:
        case Call():
            return _call(interpreter, step)
        case Repeat(scan=False):
            return _unrolled(interpreter, step, used)
        case Repeat() | Scan():
            return _scan(interpreter, step)
        case Map():
            return _map(interpreter, step)
        case Cond():
            return _cond(interpreter, step)
        case WhileLoop():
            return _while(interpreter, step)
    raise AssertionError(step.op.op)


def policy_of(name: str) -> Any:
    """The `policy` of `jax.checkpoint`; to save nothing is its default."""
    if name == "nothing_saveable":
        return None
    return getattr(jax.checkpoint_policies, name)


def state_paths(instance: Instance) -> tuple[str, ...]:
    """The paths of the state that an instance updates."""
    return tuple(p for p, leaf in flatten(instance.tree) if leaf.kind == "state")


def _runner(
    interpreter: Interpreter, instance: Instance, remat: str | None, *, cse: bool
) -> Run:
    """The callee, under `jax.checkpoint` where the node wants that.

    What is checkpointed is one function per callee, so that JAX traces it once for all
    calls of the same shapes, as it does in a generated file, where it is one `def`;
    there a callee that takes keywords is a new `partial` at every call.
    """
    run = interpreter.run(instance)
    if remat is None:
        return run
    new_each_time = (
        instance.uses_train or instance.needs_float or interpreter.varies(instance)
    )

    def checkpointed(
        params: Any, inputs: dict[str, Any], context: Context
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        names = tuple(inputs)

        def body(params: Any, *values: Any) -> Any:
            return run(params, dict(zip(names, values, strict=True)), context)

        if not new_each_time:
            body = interpreter.bodies.setdefault((instance.name, names, context), body)
        body_ = jax.checkpoint(body, policy=policy_of(remat), prevent_cse=cse)
        result: tuple[tuple[Any, ...], dict[str, Any]] = body_(params, *inputs.values())
        return result

    return checkpointed


def _ordered(instance: Instance, values: dict[str, Any]) -> dict[str, Any]:
    return {n: values[n] for n in instance.function.inputs if n in values}


def _getters(step: Step, field: str) -> dict[str, Getter]:
    from .interpret import argument

    return {n: argument(a, step.name) for n, a in step.args.get(field, {}).items()}


def _keys(step: Step) -> list[str]:
    return [n for n, a in step.args.get("inputs", {}).items() if a.kind == "key"]


def _call(interpreter: Interpreter, step: Step) -> Act:
    assert isinstance(step.op, Call)
    (instance,) = step.callees
    run = _runner(interpreter, instance, step.op.remat, cse=True)
    getters = _ordered(instance, _getters(step, "inputs"))

    def act(params: Any, env: Env, context: Context) -> tuple[tuple[Any, ...], Any]:
        return run(params, {n: get(env) for n, get in getters.items()}, context)

    return act


def _typed(
    step: Step, field: str, instance: Instance | None
) -> dict[str, Callable[[Env, Context], Any]]:
    """The carry or xs: literals become arrays, as loops want types that stay."""
    from .interpret import argument, getter

    result: dict[str, Callable[[Env, Context], Any]] = {}
    for name, arg in step.args[field].items():
        # A carry is no argument of a part of its own, so no key of it is folded.
        get = getter(arg) if field == "carry" else argument(arg, step.name)
        if arg.is_reference:
            result[name] = lambda env, context, get=get: get(env)  # type: ignore[misc]
            continue
        declared = instance.function.inputs[name].dtype if instance else None

        def typed(
            env: Env, context: Context, get: Getter = get, own: str | None = declared
        ) -> Any:
            value = get(env)
            dtype = literal_dtype(value, own)
            return jnp.asarray(value, context.dtype if dtype == "float" else dtype)

        result[name] = typed
    return result


def _split(
    outputs: dict[str, Any], carry: dict[str, Any]
) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    new = tuple(outputs[n] for n in carry)
    return new, tuple(v for n, v in outputs.items() if n not in carry)


def _join(
    step: Step, carry: dict[str, Any], final: tuple[Any, ...], stacked: tuple[Any, ...]
) -> tuple[Any, ...]:
    finals = dict(zip(carry, final, strict=True))
    others = iter(stacked)
    return tuple(finals[n] if n in finals else next(others) for n in step.outputs)


def _scan(interpreter: Interpreter, step: Step) -> Act:
    """A scanned repeat (parameters are xs) or a scan (parameters are shared)."""
    op = step.op
    assert isinstance(op, (Repeat, Scan))
    (instance,) = step.callees
    run = _runner(interpreter, instance, op.remat, cse=False)
    carry, xs = _typed(step, "carry", instance), _typed(step, "xs", instance)
    inputs, keys = _getters(step, "inputs"), _keys(step)
    repeat = isinstance(op, Repeat)
    layered = repeat and bool(step.tree)
    carries_state = not repeat and step.stateful
    paths = state_paths(instance)
    indexed = op.index is not None or bool(keys)
    chosen = 0 if isinstance(op, Repeat) else op.axis
    reverse = False if isinstance(op, Repeat) else op.reverse
    length = op.count if isinstance(op, Repeat) else op.length

    def act(params: Any, env: Env, context: Context) -> tuple[tuple[Any, ...], Any]:
        if layered:
            _check_stacked(params, length)
        axis = _size(chosen, env)
        fixed = {n: get(env) for n, get in inputs.items()}
        sliced = {n: get(env, context) for n, get in xs.items()}
        if axis != 0:
            sliced = {n: jnp.moveaxis(v, axis, 0) for n, v in sliced.items()}
        count = _size(length, env)
        if count is None:
            count = next(iter(sliced.values())).shape[0]

        def body(values: Any, slices: Any) -> Any:
            values, state = values if carries_state else (values, None)
            own = params
            if layered:
                own, *slices = slices
            elif carries_state:
                own = merge(params, state)
            *slices, i = slices if indexed else (*slices, None)
            given = {**fixed, **dict(zip(carry, values, strict=True))}
            given.update(zip(sliced, slices, strict=True))
            for name in keys:
                given[name] = fold_in(fixed[name], i)
            if op.index is not None:
                given[op.index] = i
            outputs, state = run(own, _ordered(instance, given), context)
            new, others = _split(dict(zip(step.outputs, outputs, strict=True)), carry)
            if carries_state:
                return (new, state), others
            return new, (others, state)

        first: Any = tuple(get(env, context) for get in carry.values())
        if carries_state:
            first = (first, kept(params, paths, train=context.train))
        scanned = (
            *((params,) if layered else ()),
            *sliced.values(),
            *((jnp.arange(count),) if indexed else ()),
        )
        last, out = jax.lax.scan(body, first, scanned, length=count, reverse=reverse)
        if carries_state:
            (final, state), others = last, out
        else:
            final, (others, state) = last, out
        if axis != 0:
            others = tuple(jnp.moveaxis(v, 0, axis) for v in others)
        return _join(step, carry, final, others), state

    return act


def _check_stacked(params: Any, count: Any) -> None:
    wanted = f"arrays of {count} stacked copies"
    if not isinstance(params, dict):
        raise lacking(params, wanted)
    for leaf in jax.tree.leaves(params):
        if jnp.shape(leaf)[:1] != (count,):
            raise lacking(leaf, wanted)


def _size(size: Any, env: Env) -> Any:
    """A size that may be an expression over dims."""
    return evaluate(size, env["$"]) if isinstance(size, str) else size


def _unrolled(interpreter: Interpreter, step: Step, used: Collection[int]) -> Act:
    op = step.op
    assert isinstance(op, Repeat)
    runs = [_runner(interpreter, c, op.remat, cse=True) for c in step.callees]
    carry = _typed(step, "carry", step.callees[0] if step.callees else None)
    xs, inputs, keys = _getters(step, "xs"), _getters(step, "inputs"), _keys(step)
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
            outputs, state = run(own, _ordered(step.callees[i], given), context)
            values, others = _split(
                dict(zip(step.outputs, outputs, strict=True)), carry
            )
            stacked.append(others)
            states.append(state)
        joined = tuple(
            jnp.stack(parts) if seen else None
            for parts, seen in zip(zip(*stacked, strict=True), wanted, strict=True)
        )
        return _join(step, carry, values, joined), states

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


def _map(interpreter: Interpreter, step: Step) -> Act:
    op = step.op
    assert isinstance(op, Map)
    (instance,) = step.callees
    run = interpreter.run(instance)
    xs, inputs, keys = _getters(step, "xs"), _getters(step, "inputs"), _keys(step)
    layered = op.count is not None and bool(step.tree)

    def act(params: Any, env: Env, context: Context) -> tuple[tuple[Any, ...], Any]:
        if layered:
            _check_stacked(params, op.count)
        axis, count = _size(op.axis, env), _size(op.count, env)
        fixed = {n: get(env) for n, get in inputs.items()}
        mapped = {n: get(env) for n, get in xs.items()}
        if count is None:
            count = next(iter(mapped.values())).shape[axis]

        def lane(own: Any, i: Any, *slices: Any) -> Any:
            given = {**fixed, **dict(zip(mapped, slices, strict=True))}
            for name in keys:
                given[name] = fold_in(fixed[name], i)
            return run(own, _ordered(instance, given), context)

        axes = (0 if layered else None, 0 if keys else None, *(axis for _ in mapped))
        lanes = jax.vmap(lane, in_axes=axes, out_axes=(axis, 0), axis_size=count)
        result: tuple[tuple[Any, ...], Any] = lanes(
            params, jnp.arange(count) if keys else None, *mapped.values()
        )
        return result

    return act


def _part(params: Any, name: str, instance: Instance) -> Any:
    return lookup(params, (name,)) if instance.tree else {}


def _cond(interpreter: Interpreter, step: Step) -> Act:
    from .interpret import getter

    names = ("then", "else")
    runs = [interpreter.run(c) for c in step.callees]
    inputs = _ordered(step.callees[0], _getters(step, "inputs"))
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


def _while(interpreter: Interpreter, step: Step) -> Act:
    op = step.op
    assert isinstance(op, WhileLoop)
    cond, body = step.callees
    test, run = interpreter.run(cond), interpreter.run(body)
    carry = _typed(step, "carry", body)
    inputs, keys = _getters(step, "inputs"), _keys(step)
    counted = bool(keys) or op.max_steps is not None
    paths = state_paths(body)

    def act(params: Any, env: Env, context: Context) -> tuple[tuple[Any, ...], Any]:
        fixed = {n: get(env) for n, get in inputs.items()}
        condition, own = _part(params, "cond", cond), _part(params, "body", body)
        limit = _size(op.max_steps, env)

        def given(values: Any, i: Any) -> dict[str, Any]:
            merged = {**fixed, **dict(zip(carry, values, strict=True))}
            for name in keys:
                merged[name] = fold_in(fixed[name], i)
            return merged

        def go_on(loop: Any) -> Any:
            values, i, _ = loop
            (result,), _ = test(condition, _ordered(cond, given(values, i)), context)
            return result if limit is None else result & (i < limit)

        def advance(loop: Any) -> Any:
            values, i, state = loop
            now = merge(own, state) if step.stateful else own
            outputs, state = run(now, _ordered(body, given(values, i)), context)
            new, _ = _split(dict(zip(step.outputs, outputs, strict=True)), carry)
            return new, i + 1 if counted else None, state

        first = tuple(get(env, context) for get in carry.values())
        start = jnp.asarray(0, jnp.int32) if counted else None
        state = kept(own, paths, train=context.train) if step.stateful else {}
        final, _, state = jax.lax.while_loop(go_on, advance, (first, start, state))
        return _join(step, carry, final, ()), {"body": state} if step.stateful else {}

    return act
