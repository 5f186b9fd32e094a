"""Instances as closures: every decision that the Graph takes is taken once, at build."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, cast

import jax
import jax.numpy as jnp
from jax import named_scope

from blox.ops.library import argument as argument_value
from blox.ops.library import op_function
from blox.ops.state import merge
from blox.schema import ModelError
from blox.schema.diagnostics import listing
from blox.schema.expressions import names
from blox.schema.fields import Operand, is_expression
from blox.schema.op import ScopeOp
from blox.schema.parameters import Leaf
from blox.schema.registry import definition
from blox.schema.resolve.program import Arg, Instance, Step

from .bounded import bounded
from .context import failed, lacking, lookup
from .control import control
from .returned import returning
from .trees import Act, Context, Env, Getter, Outputs, Params, Run, State, Typed, Value
from .values import array_of, evaluated, getter, has_expression, key_getter


class Interpreter:
    """Compiles each instance of a Program once."""

    def __init__(
        self,
        instances: Sequence[Instance] = (),
        checks: Mapping[str, Callable[[dict[str, Value]], None]] | None = None,
        entries: Collection[str] = (),
    ) -> None:
        """Knows the instances of a Program, its entries and their checks."""
        self._checks = checks or {}
        self._entries = frozenset(entries)
        names = Counter(i.name for i in instances)
        self._varied = {n for n, count in names.items() if count > 1}
        self._runs: dict[int, Run] = {}
        self.bodies: dict[Any, Callable[..., tuple[Outputs, dict[str, State]]]] = {}
        """What is under `jax.checkpoint`, by function, inputs and context."""

    def varies(self, instance: Instance) -> bool:
        """True where the function is called with different attributes."""
        return instance.name in self._varied

    def run(self, instance: Instance) -> Run:
        """The instance as a function of (params, inputs by name, context)."""
        found = self._runs.get(id(instance))
        if found is None:
            found = self._runs[id(instance)] = self._compile(instance)
        return found

    def _compile(self, instance: Instance) -> Run:
        steps = [(s, self._act(s)) for s in instance.live_steps]
        outputs = [getter(a) for a in instance.outputs.values()]
        used = _used_dims(instance)
        dims = tuple((n, where) for n, where in instance.dims.items() if n in used)
        optional = [n for n, i in instance.function.inputs.items() if i.optional]
        values = instance.values
        check = self._checks.get(instance.name)
        floats = instance.float_inputs() if instance.name in self._entries else ()

        def run(
            params: Params, inputs: dict[str, Value], context: Context
        ) -> tuple[Outputs, dict[str, State]]:
            if check is not None:
                check(inputs)
            inputs = {**inputs, **_cast(inputs, floats, context.dtype)}
            env = Env({name: (value,) for name, value in inputs.items()})
            for name in optional:
                env.setdefault(name, (None,))
            if dims:
                sizes = {
                    n: array_of(env[name][0]).shape[axis] for n, (name, axis) in dims
                }
                env.sizes = {**values, **sizes}
            state: dict[str, State] = {}
            for step, act in steps:
                try:
                    with named_scope(step.name):
                        own = lookup(params, step.scope) if step.tree else {}
                        if step.merges:
                            own = merge(own, _find(state, step.scope))
                        env[step.name], new = act(own, env, context)
                except FloatingPointError:
                    raise  # what jax.debug_nans found is for JAX to tell
                except ModelError as error:
                    raise failed(step.name, error, {}) from error.__cause__
                except Exception as error:
                    shown = _operands(step, env, params)
                    raise failed(step.name, error, shown) from error
                if step.stateful:
                    _write(state, step.scope, new, params)
            return tuple(get(env) for get in outputs), state

        return run

    def _act(self, step: Step) -> Act:
        if isinstance(step.op, ScopeOp):
            return control(type(step.op))(self, step, step.op)
        return assigning(step) if step.op.ASSIGNS else call_op(step)


def call_op(step: Step) -> Act:
    """The closure of a node that computes by itself."""
    op = step.op
    fields = op.fields()
    function = op_function(op.op)
    call = bounded(op, function.call)
    operands = [
        _operand(step.args[name], operand, step.name)
        for name, operand in fields.operands.items()
    ]
    slots = {n: getter(step.operand(n)) for n in fields.slots if n in step.args}
    leaf = isinstance(step.tree, Leaf)
    owned = () if leaf else tuple(op.stored())
    fixed: dict[str, Any] = {}
    dynamic: dict[str, Typed] = {}
    for name in function.attributes:
        value = getattr(op, name)
        if name in fields.dtypes and value == "float":
            dynamic[name] = lambda env, context: context.dtype
        elif has_expression(value):
            kind = "float" if name in fields.floats else "int"
            dynamic[name] = _sized(value, kind, index=name in fields.indices)
        else:
            fixed[name] = argument_value(value, index=name in fields.indices)
    if op.TRAIN:
        dynamic["train"] = lambda env, context: context.train
    if function.takes_axis_name:
        dynamic["axis_name"] = lambda env, context: context.axis_name
    stateful = op.STATEFUL
    several = op.outputs() != ("out",)
    found = definition(op.op)
    if found is not None and not found.is_core:
        call = returning(call, len(op.outputs()) if several else None, stateful)

    def act(params: Params, env: Env, context: Context) -> tuple[Outputs, State]:
        arguments = [get(env) for get in operands]
        if leaf:
            arguments.append(params)
        keywords = _own(params, owned) if owned else {}
        for name, get in slots.items():
            keywords[name] = get(env)
        keywords.update(fixed)
        for name, value in dynamic.items():
            keywords[name] = value(env, context)
        result = call(*arguments, **keywords)
        state: State = {}
        if stateful:
            result, state = result
        return tuple(result) if several else (result,), state

    return act


def assigning(step: Step) -> Act:
    """The closure of a node whose output is the next value of state.

    Where that stays, it gives the value of the state, and None as the next one.
    """
    act, now = call_op(step), getter(step.operand(step.op.ASSIGNS))
    training = step.uses_train

    def assign(params: Params, env: Env, context: Context) -> tuple[Outputs, Any]:
        outputs, _ = act(params, env, context)
        if training and not context.train:
            return (now(env),), None
        return outputs, outputs[0]

    return assign


def _operand(arg: Arg | list[Arg], operand: Operand, part: str) -> Getter:
    if isinstance(arg, list):
        gets = [getter(a) for a in arg]
        return lambda env: [get(env) for get in gets]
    return key_getter(arg, part) if operand.kind == "key" else getter(arg)


def _sized(value: Any, kind: str, *, index: bool) -> Typed:
    """An attribute that depends on dims."""
    return lambda env, context: argument_value(evaluated(value, env, kind), index=index)


def _own(params: Params, names: Sequence[str]) -> dict[str, Value]:
    """The arrays that an op owns, as keywords.

    Raises:
        ModelError: naming those that Params lacks.
    """
    there = params if isinstance(params, dict) else {}
    missing = [repr(n) for n in names if n not in there]
    if missing:
        raise lacking(params, listing(missing))
    return {n: there[n] for n in names}


def _cast(
    inputs: Mapping[str, Value], names: Iterable[str], dtype: Any
) -> dict[str, Value]:
    """Inputs of these names that are there, in the model's floating type."""
    given = {n: inputs[n] for n in names if inputs.get(n) is not None}
    return {
        n: jax.tree.map(lambda a: jnp.asarray(a, dtype), value)
        for n, value in given.items()
    }


def _used_dims(instance: Instance) -> set[str]:
    """The names that expressions of nodes use, so that no other dim is looked up."""
    found: set[str] = set()

    def search(value: Any) -> None:
        if is_expression(value):
            found.update(names(value))
        elif isinstance(value, (list, tuple)):
            for part in value:
                search(part)

    for step in instance.live_steps:
        for name in step.op.fields().attributes:
            search(getattr(step.op, name))
        for arg in step.arguments():
            search(arg.value)
    return found


def _operands(step: Step, env: Env, params: Params) -> dict[str, Value]:
    """What a node got: its operands, and the arrays that it owns."""
    shown: dict[str, Value] = {}
    for name, arg in step.args.items():
        if isinstance(arg, Arg) and arg.source is not None and arg.source in env:
            shown[name] = getter(arg)(env)
    for group in step.groups.values():
        for key, part in group.items():
            if part.source is not None and part.source in env:
                shown[key] = getter(part)(env)
    if step.tree and not isinstance(step.op, ScopeOp):
        own = lookup(params, step.scope)
        shown.update(own if isinstance(own, dict) else {"value": own})
    return shown


def _find(state: State, scope: tuple[str, ...]) -> State:
    found = state
    for name in scope:
        if isinstance(found, list):
            found = found[int(name)]
        elif isinstance(found, dict) and name in found:
            found = found[name]
        else:
            return {}
    return found


def _write(
    state: dict[str, State], scope: tuple[str, ...], new: State | None, params: Params
) -> None:
    """Puts what a step updated at its scope; None: nothing this time."""
    if not scope or any(name.isdecimal() for name in scope):
        state.update(merge(state, _placed(scope, new, params)))
        return
    for name in scope[:-1]:
        state = cast(dict[str, State], state.setdefault(name, {}))
    if new is None:
        return
    old = state.get(scope[-1])
    state[scope[-1]] = new if old is None else merge(old, new)


def _placed(scope: tuple[str, ...], new: State | None, params: Any) -> Any:
    """State at a scope, nested as Params are; nothing in the other parts of a list."""
    if not scope:
        return new
    name, inner = scope[0], scope[1:]
    if name.isdecimal():
        parts: list[Any] = [{} for _ in params]
        if inner or new is not None:
            parts[int(name)] = _placed(inner, new, params[int(name)])
        return parts
    if not inner and new is None:
        return {}
    return {name: _placed(inner, new, params[name])}
