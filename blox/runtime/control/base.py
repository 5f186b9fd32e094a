"""The functions that a node runs: checkpointed where it wants that, their state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax

from blox.schema.resolve.program import Instance, Step, flatten

from ..context import Context, Run

if TYPE_CHECKING:
    from ..interpreter import Interpreter


def runner(
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


def policy_of(name: str) -> Any:
    """The `policy` of `jax.checkpoint`; to save nothing is its default."""
    if name == "nothing_saveable":
        return None
    return getattr(jax.checkpoint_policies, name)


def state_paths(instance: Instance) -> tuple[str, ...]:
    """The paths of the state that an instance updates."""
    return tuple(p for p, leaf in flatten(instance.tree) if leaf.kind == "state")


def ordered(instance: Instance, values: dict[str, Any]) -> dict[str, Any]:
    return {n: values[n] for n in instance.function.inputs if n in values}


def split(
    outputs: dict[str, Any], carry: dict[str, Any]
) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    new = tuple(outputs[n] for n in carry)
    return new, tuple(v for n, v in outputs.items() if n not in carry)


def join(
    step: Step, carry: dict[str, Any], final: tuple[Any, ...], stacked: tuple[Any, ...]
) -> tuple[Any, ...]:
    finals = dict(zip(carry, final, strict=True))
    others = iter(stacked)
    return tuple(finals[n] if n in finals else next(others) for n in step.outputs)
