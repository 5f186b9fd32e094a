"""The functions that a node runs: checkpointed where it asks for that, their state."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import jax
import jax.numpy as jnp

from blox.ops.state import kept, merge
from blox.schema.resolve.program import Called, Instance, Step
from blox.schema.resolve.trees import flatten

from ..context import lacking, lookup
from ..trees import Act, Context, Env, Outputs, Params, Run, State, Value
from ..values import typed

T = TypeVar("T")


class Compiler(Protocol):
    """The interpreter, as far as nodes that run functions need it."""

    bodies: dict[Any, Callable[..., tuple[Outputs, dict[str, State]]]]

    def run(self, instance: Instance) -> Run: ...

    def varies(self, instance: Instance) -> bool: ...


def runner(
    compiler: Compiler, instance: Instance, remat: str | None, *, cse: bool
) -> Run:
    """The callee, under `jax.checkpoint` where the node asks for that.

    What is checkpointed is one function per callee, so that JAX traces it once for all
    calls of the same shapes, as it does in a generated file, where it is one `def`;
    there a callee that takes keywords is a new `partial` at every call.
    """
    run = compiler.run(instance)
    if remat is None:
        return run
    new_each_time = (
        instance.uses_train or instance.needs_float or compiler.varies(instance)
    )

    def checkpointed(
        params: Params, inputs: dict[str, Value], context: Context
    ) -> tuple[Outputs, dict[str, State]]:
        names = tuple(inputs)

        def body(params: Params, *values: Value) -> tuple[Outputs, dict[str, State]]:
            return run(params, dict(zip(names, values, strict=True)), context)

        if not new_each_time:
            body = compiler.bodies.setdefault((instance.name, names, context), body)
        body_ = jax.checkpoint(body, policy=policy_of(remat), prevent_cse=cse)
        result: tuple[Outputs, dict[str, State]] = body_(params, *inputs.values())
        return result

    return checkpointed


def policy_of(name: str) -> Callable[..., bool] | None:
    """The `policy` of `jax.checkpoint`; to save nothing is its default."""
    if name == "nothing_saveable":
        return None
    policy: Callable[..., bool] = getattr(jax.checkpoint_policies, name)
    return policy


def keeper(instance: Instance) -> Callable[..., State]:
    """(params, train=) -> the state of an instance that does not run, as a run gives it:
    what calls always update, and what they update when training.
    """
    leaves = [(p, leaf) for p, leaf in flatten(instance.tree) if leaf.changes]
    always = [p for p, leaf in leaves if leaf.updated == "always"]
    others = [p for p, leaf in leaves if leaf.updated != "always"]

    def keep(params: Params, *, train: bool) -> State:
        state: State = kept(params, others, train=train)
        return merge(state, kept(params, always, train=True)) if always else state

    return keep


def ordered(instance: Instance, values: Mapping[str, T]) -> dict[str, T]:
    """Arguments, or getters of them, in the order of the function's inputs."""
    return {n: values[n] for n in instance.function.inputs if n in values}


def split(
    step: Step, outputs: Outputs, carry: Mapping[str, Any]
) -> tuple[Outputs, Outputs]:
    """(the next carry, all other outputs) of what a callee returned."""
    named = dict(zip(step.outputs, outputs, strict=True))
    new = tuple(named[n] for n in carry)
    return new, tuple(v for n, v in named.items() if n not in carry)


def joined(
    step: Step, carry: Mapping[str, Any], final: Outputs, stacked: Outputs
) -> Outputs:
    """The outputs of a loop: the last carry, and what is stacked."""
    finals = dict(zip(carry, final, strict=True))
    others = iter(stacked)
    return tuple(finals[n] if n in finals else next(others) for n in step.outputs)


def part(params: Params, called: Called) -> Params:
    """The parameters of a callee in a role, which may have none."""
    role = called.declared.role
    if role is None or not called.instance.tree:
        return {}
    return lookup(params, (role,))


def no_copies(step: Step) -> Act:
    """A repeat of count 0: the carry as it came; nothing is folded, stacked or owned."""
    used = {name for i, name in enumerate(step.outputs) if i in step.used}
    carry = {n: get for n, get in typed(step, "carry").items() if n in used}

    def act(params: Params, env: Env, context: Context) -> tuple[Outputs, State]:
        values = {n: get(env, context) for n, get in carry.items()}
        return tuple(values.get(n) for n in step.outputs), {}

    return act


def check_stacked(params: Params, count: Any) -> None:
    """Every array of stacked copies has the axis of the copies.

    Raises:
        ModelError: one hasn't.
    """
    wanted = f"arrays of {count} stacked copies"
    if not isinstance(params, dict):
        raise lacking(params, wanted)
    for leaf in jax.tree.leaves(params):
        if jnp.shape(leaf)[:1] != (count,):
            raise lacking(leaf, wanted)


def check_slices(slices: Mapping[str, Value], count: int) -> None:
    """Every xs has one slice a copy.

    Raises:
        ValueError: one hasn't.
    """
    for name, value in slices.items():
        shape: Sequence[int] | None = getattr(value, "shape", None)
        if shape is not None and shape[0] != count:
            raise ValueError(f"expected {count} slices of {name}, found {shape[0]}")
