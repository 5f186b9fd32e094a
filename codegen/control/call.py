"""Calls of the file's own functions."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import get_args

from ...schema.ops.control import Call, Remat
from ...schema.resolve.program import Arg, Instance, Step
from ..nodes import call, dotted, literal, name, subscript
from ..plan import Plan
from ..writer import Writer

EMITS = (
    "jax.checkpoint",
    *(f"jax.checkpoint_policies.{name}" for name in get_args(Remat)),
)


def write(writer: Writer, step: Step, node: Call) -> None:
    """Writes a `call` node."""
    callee = step.callee().instance
    plan = writer.module.plans[callee.name]
    given = step.group("inputs")
    args: dict[str, Arg] = {n: given[n] for n in callee.function.inputs if n in given}
    attributes = callee_attributes(writer, node.attributes, plan)

    def build(values: list[ast.expr]) -> ast.expr:
        inputs = dict(zip(args, values, strict=True))
        own = writer.params(step)
        return callee_call(
            writer, callee, own, inputs, attributes, remat=node.remat, cse=True
        )

    several = len(step.outputs) > 1
    value = writer.combine(step.name, list(args.values()), build, int(step.stateful))
    if plan.returns_dict:
        _write_dict(writer, step, value)
    elif several or step.stateful:
        writer.statement(step, value)
    else:
        writer.wait(step, value)


def _write_dict(writer: Writer, step: Step, value: ast.expr) -> None:
    """The outputs of an entry come by name."""
    if not step.stateful and writer.uses.get(step.name, 0) == 1:
        (used,) = step.used
        output = step.outputs[used]
        writer.wait(step, subscript(value, output))
        writer.values[step.name] = writer.values[step.name] * len(step.outputs)
        return
    writer.flush()
    target = name(writer.fresh(step.name) if step.used else "_")
    writer.values[step.name] = [subscript(target, o) for o in step.outputs]
    writer.body += writer.unpack(step, [target], value)


def callee_attributes(
    writer: Writer, given: Mapping[str, object], plan: Plan
) -> dict[str, ast.expr]:
    """The attributes that a function takes as keywords, as a node gives them."""
    return {
        n: writer.value(given[n])
        for n in plan.varying
        if n in plan.needed and not isinstance(given[n], list)
    }


def callee_call(
    writer: Writer,
    callee: Instance,
    own: ast.expr,
    inputs: Mapping[str, ast.expr],
    attributes: Mapping[str, ast.expr],
    *,
    remat: str | None = None,
    cse: bool,
) -> ast.expr:
    """The call of a function, under `jax.checkpoint` where the node wants that.

    `own` are the parameters of the callee, should it take any.
    """
    module = writer.module
    plan = module.plans[callee.name]
    keywords = dict(attributes)
    if plan.takes_dtype:
        keywords["dtype"] = writer.dtype("float")
    if plan.uses_train:
        keywords["train"] = name("train")
    args: list[ast.expr] = []
    if plan.takes_params:
        args.append(own if callee.tree else ast.Dict([], []))
    named: dict[str, ast.expr] = {}
    gap = 0  # optional inputs that are not given, before one that is
    for input_name in callee.function.inputs:
        if input_name not in inputs:
            gap += 1
        elif gap and remat is None:
            named[input_name] = inputs[input_name]
        else:
            args += [ast.Constant(None)] * gap  # a checkpoint takes what it is given
            args.append(inputs[input_name])
            gap = 0
    title = writer.plan.aliases.get(plan.title, plan.title)
    target: ast.expr = name(title)
    if remat is not None:
        function = call("partial", [target], keywords) if keywords else target
        target = call("jax.checkpoint", [function], _checkpoint(remat, cse))
        return call(target, args)
    return call(target, args, {**named, **keywords})


def _checkpoint(remat: str, cse: bool) -> dict[str, ast.expr]:
    keywords: dict[str, ast.expr] = {}
    if remat != "nothing_saveable":
        keywords["policy"] = dotted(f"jax.checkpoint_policies.{remat}")
    if not cse:
        keywords["prevent_cse"] = literal(False)
    return keywords
