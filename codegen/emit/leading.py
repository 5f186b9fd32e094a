"""All sizes of a value but the last, where an input of its function has the same ones."""

from __future__ import annotations

import ast

from ...schema.known import Size
from ...schema.resolve.program import Arg, Instance
from ..nodes import size
from ..plan import Module, Plan


def leading_sizes(
    module: Module, plan: Plan, operand: Arg | list[Arg]
) -> ast.Tuple | None:
    """The sizes of an operand but for the last, by their dims: `(batch, seq)`.

    They are those of an input, in every call of the function: `linear(x)` has them of x.
    """
    if isinstance(operand, list) or operand.source is None:
        return None
    wanted = _leading(module, plan.first, operand.source, operand.output)
    for title, given in plan.first.function.inputs.items():
        there = all(
            _leading(module, instance, title) == wanted
            and _leading(module, instance, operand.source, operand.output) == wanted
            for instance in plan.instances
        )
        dims = [_dim(plan, title, axis, dim) for axis, dim in enumerate(wanted)]
        named = [dim for dim in dims if dim is not None]
        if there and wanted and not given.optional and len(named) == len(wanted):
            rank = len(wanted) + 1
            axes = enumerate(named)
            return ast.Tuple([size(dim, title, axis, rank) for axis, dim in axes])
    return None


def _dim(plan: Plan, title: str, axis: int, found: Size) -> str | None:
    """What an axis of an input is called: as its function does, else as is known of it."""
    own = {place: dim for dim, place in plan.first.dims.items()}
    if (title, axis) in own:
        return own[title, axis]
    taken = {*plan.first.dims, *plan.written, *plan.varying}
    fits = isinstance(found, str) and found.isidentifier() and found not in taken
    return found if isinstance(found, str) and fits else None


def _leading(
    module: Module, instance: Instance, source: str, output: int = 0
) -> tuple[Size, ...]:
    """The sizes but for the last, nothing where they are not known."""
    outputs = module.known.get(instance, {}).get(source)
    known = outputs[output] if outputs else None
    shape = known.shape if known is not None else None
    return () if shape is None or None in shape[:-1] else shape[:-1]
