"""How values are had from those so far: references, numbers, expressions, keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from blox.ops.keys import fold_in
from blox.schema.expressions import evaluate
from blox.schema.fields import is_expression
from blox.schema.resolve.program import Arg, Instance, Step, literal_dtype

from .context import Context

Env = dict[str, Any]
"""Inputs and nodes so far by name; `$` holds attributes and dims."""
Getter = Callable[[Env], Any]
Typed = Callable[[Env, Context], Any]
Act = Callable[[Any, Env, Context], tuple[tuple[Any, ...], Any]]
"""(the step's parameters, values, context) -> (outputs, state) of a step."""


def getter(arg: Arg) -> Getter:
    """How a value is had from the values so far."""
    source, index, value = arg.source, arg.output, arg.value
    if source is not None:

        def from_source(env: Env) -> Any:
            found = env[source]
            return found[index] if type(found) is tuple else found

        return from_source
    if has_expression(value):
        return lambda env: evaluated(value, env, "float")
    return lambda env: value


def key_getter(arg: Arg, part: str) -> Getter:
    """A key for a node: folded with the node's name."""
    get = getter(arg)
    return lambda env: fold_in(get(env), part)


def argument(arg: Arg, part: str) -> Getter:
    return key_getter(arg, part) if arg.kind == "key" else getter(arg)


def getters(step: Step) -> dict[str, Getter]:
    """The inputs that a node gives to a function."""
    return {n: argument(a, step.name) for n, a in step.args.get("inputs", {}).items()}


def slices_of(step: Step) -> dict[str, Getter]:
    """The xs. Keys among them are not folded: there is one for each step already."""
    return {n: getter(a) for n, a in step.args.get("xs", {}).items()}


def keys_of(step: Step) -> list[str]:
    return [n for n, a in step.args.get("inputs", {}).items() if a.kind == "key"]


def typed(step: Step, field: str, instance: Instance | None) -> dict[str, Typed]:
    """The carry or xs: literals become arrays, as loops want types that stay."""
    result: dict[str, Typed] = {}
    for name, arg in step.args[field].items():
        get = getter(arg)
        if arg.is_reference:
            result[name] = lambda env, context, get=get: get(env)  # type: ignore[misc]
            continue
        declared = instance.function.inputs[name].dtype if instance else None

        def as_array(
            env: Env, context: Context, get: Getter = get, own: str | None = declared
        ) -> Any:
            value = get(env)
            dtype = literal_dtype(value, own)
            return jnp.asarray(value, context.dtype if dtype == "float" else dtype)

        result[name] = as_array
    return result


def size_of(size: Any, env: Env) -> Any:
    """A size that may be an expression over dims."""
    return evaluate(size, env["$"]) if isinstance(size, str) else size


def has_expression(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(has_expression(v) for v in value)
    return is_expression(value)


def evaluated(value: Any, env: Env, kind: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)(evaluated(v, env, kind) for v in value)
    return evaluate(value, env["$"], kind) if is_expression(value) else value
