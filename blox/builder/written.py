"""Sizes as a person writes them: `$width` where that flows in, else a number."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from blox.schema import Op
from blox.schema.expressions import ExpressionError, evaluate, names
from blox.schema.fields import is_expression

from .values import Flow


def fill(op: Op, flows: Mapping[str, Flow], tied: bool) -> Op:
    """`op` with sizes that it lacks taken from what flows in, by operand.

    Not where no parameter needs them, nor where the path that is tied knows them.
    """
    lacking = set() if tied else op.lacking()
    found: dict[str, str | int] = {}
    for field, mark in op.fields().sizes:
        flow = flows.get(mark.of)
        if flow is None or field not in lacking or field in found:
            continue
        size = _size(flow, op.value_of(mark.axis))
        if size is not None:
            found[field] = size
    return op.model_copy(update=found) if found else op


def _size(flow: Flow, axis: Any) -> str | int | None:
    """An axis of an operand as a size of parameters, None where a call decides."""
    if axis == -1 or flow.shape is None or not isinstance(axis, int):
        return flow.last if axis == -1 else None
    known = -len(flow.shape) <= axis < len(flow.shape)
    size = flow.shape[axis] if known else None
    return size if isinstance(size, int) else None


def last_sizes(
    op: Op,
    outputs: Sequence[Flow],
    operands: Sequence[Flow],
    keeps: Callable[[int, int], bool],
    attributes: Mapping[str, Any],
) -> list[str | int | None]:
    """How the size of each output's last axis is written; None where a call decides.

    `keeps(i, size)` is True where the last axis of output i is that of operands which
    end in `size`.
    """
    return [
        _last(op, i, flow, operands, keeps, attributes)
        for i, flow in enumerate(outputs)
    ]


def _last(
    op: Op,
    index: int,
    output: Flow,
    operands: Sequence[Flow],
    keeps: Callable[[int, int], bool],
    attributes: Mapping[str, Any],
) -> str | int | None:
    if not output.shape or not isinstance(output.shape[-1], int):
        return None
    size = output.shape[-1]
    stated = _stated(op, index, len(output.shape))
    if stated is not None:
        return stated if means(stated, size, attributes) else size
    for flow in operands:
        if flow.shape and isinstance(flow.last, str) and flow.shape[-1] == size:
            # Equal by chance, or the same axis? Any other size would tell.
            return flow.last if keeps(index, size) else size
    return size


def _stated(op: Op, index: int, rank: int) -> Any:
    """What the attributes say of the last axis of an output."""
    fields, output = op.fields(), op.OUTPUTS[min(index, len(op.OUTPUTS) - 1)]
    shape = getattr(op, fields.shapes[output]) if output in fields.shapes else None
    if shape:
        return shape[-1]
    for field, mark in fields.sizes:
        if mark.of != output or op.value_of(mark.axis) not in (-1, rank - 1):
            continue
        value = getattr(op, field)
        if not mark.each:
            return value
        if isinstance(value, list):
            return value[index]
    return None


def means(written: Any, size: int, attributes: Mapping[str, Any]) -> bool:
    """Whether `written` is `size`, whatever a call may bring."""
    if not is_expression(written):
        return bool(written == size)
    try:
        return all(n in attributes for n in names(written)) and bool(
            evaluate(written, attributes) == size
        )
    except ExpressionError:
        return False
