"""Getters of values from those so far: references, numbers, expressions, keys."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from blox.ops.keys import fold_in
from blox.schema.fields import is_expression
from blox.schema.resolve.program import Arg, Step, literal_dtype

from .sizes import evaluate
from .trees import Context, Env, Getter, Typed, Value


def array_of(value: Value) -> Value:
    """An array as it is; of a list the first one: all have one shape."""
    return value[0] if isinstance(value, list) else value


def getter(arg: Arg) -> Getter:
    """How a value comes from the values so far."""
    source, index, value = arg.source, arg.output, arg.value
    if source is not None:
        return lambda env: env[source][index]
    if has_expression(value):
        return lambda env: evaluated(value, env, "float")
    return lambda env: value


def key_getter(arg: Arg, part: str) -> Getter:
    """A key for a node: folded with the node's name."""
    get = getter(arg)
    return lambda env: fold_in(get(env), part)


def getters(step: Step) -> dict[str, Getter]:
    """The inputs that a node gives to a function."""
    given = step.group("inputs")
    return {
        n: key_getter(arg, step.name) if arg.kind == "key" else getter(arg)
        for n, arg in given.items()
    }


def slices_of(step: Step) -> dict[str, Getter]:
    """The xs. Keys among them are not folded: there is one for each step already."""
    return {n: getter(a) for n, a in step.group("xs").items()}


def keys_of(step: Step) -> list[str]:
    """The inputs that are keys: a loop also folds them with the step."""
    return [n for n, a in step.group("inputs").items() if a.kind == "key"]


def typed(step: Step, field: str) -> dict[str, Typed]:
    """The carry or xs: literals become arrays, as loops want types that stay."""
    inputs = step.callees[-1].instance.function.inputs
    result: dict[str, Typed] = {}
    for name, arg in step.group(field).items():
        get = getter(arg)
        if arg.is_reference:
            result[name] = _as_it_is(get)
        else:
            result[name] = _as_array(get, inputs[name].dtype)
    return result


def _as_it_is(get: Getter) -> Typed:
    return lambda env, context: get(env)


def _as_array(get: Getter, declared: str | None) -> Typed:
    def value(env: Env, context: Context) -> Value:
        number = get(env)
        dtype = literal_dtype(number, declared)
        return jnp.asarray(number, context.dtype if dtype == "float" else dtype)

    return value


def size_of(size: Any, env: Env) -> Any:
    """A size that may be an expression over dims."""
    return evaluate(size, env.sizes) if isinstance(size, str) else size


def has_expression(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(has_expression(v) for v in value)
    return is_expression(value)


def evaluated(value: Any, env: Env, kind: Any) -> Any:
    """A number, or a list of them, with expressions replaced by their values."""
    if isinstance(value, (list, tuple)):
        parts = (evaluated(v, env, kind) for v in value)
        return list(parts) if isinstance(value, list) else tuple(parts)
    return evaluate(value, env.sizes, kind) if is_expression(value) else value
