"""Sizes as a person writes them: `$width` where that flows in, else a number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from blox.schema import Leaf, Op
from blox.schema.expressions import ExpressionError, evaluate, names
from blox.schema.fields import is_expression
from blox.schema.op import ParamOp

from .infer import Probe
from .values import Flow

# The attribute that is the size of the last axis of an op's output.
LAST = {
    "linear": "out_features",
    "embed": "features",
    "unembed": "num_embeddings",
    "conv": "out_features",
    "layer_norm": "features",
    "rms_norm": "features",
    "batch_norm": "features",
    "sinusoidal": "dim",
    "one_hot": "num_classes",
}
# The attributes that are the size of the last axis of an operand.
GIVEN_BY = {"in_features": "x", "features": "x"}


def fill(op: Op, flows: Mapping[str, Flow], tied: bool) -> Op:
    """`op` with sizes that it lacks taken from what flows in, by operand.

    Not where no parameter wants them, nor where the path that is tied knows them.
    """
    if not isinstance(op, ParamOp) or tied:
        return op
    for field, operand in GIVEN_BY.items():
        flow = flows.get(operand)
        if flow is None or flow.last is None or getattr(op, field, 0) is not None:
            continue
        filled = op.model_copy(update={field: flow.last})
        if _lacking(filled.stored()) < _lacking(op.stored()):
            op = filled
    return op


def _lacking(leaves: Mapping[str, Leaf]) -> int:
    return sum(size is None for leaf in leaves.values() for size in leaf.shape)


def missing(op: Op) -> list[str]:
    """The sizes that some parameter of `op` lacks."""
    leaves = op.stored()
    if not _lacking(leaves):
        return []
    found = []
    for field in op.fields().minima:
        if getattr(op, field) is None:
            tried = op.model_copy(update={field: 1}).stored()
            if _lacking(tried) < _lacking(leaves):
                found.append(field)
    return found


def last_sizes(
    op: Op,
    outputs: Sequence[Flow],
    operands: Sequence[Flow],
    probe: Probe,
    attributes: Mapping[str, Any],
) -> list[str | int | None]:
    """How the size of each output's last axis is written; None where a call decides."""
    return [
        _last(op, i, flow, operands, probe, attributes)
        for i, flow in enumerate(outputs)
    ]


def _last(
    op: Op,
    index: int,
    output: Flow,
    operands: Sequence[Flow],
    probe: Probe,
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
            return flow.last if probe.keeps_last(index, size) else size
    return size


def _stated(op: Op, index: int, rank: int) -> Any:
    field = LAST.get(op.op)
    if field is not None:
        if op.op == "one_hot" and getattr(op, "axis", -1) not in (-1, rank - 1):
            return None
        return getattr(op, field)
    shape = getattr(op, "shape", None)
    if isinstance(shape, list) and shape:
        return shape[-1]
    sections = getattr(op, "sections", None)
    if isinstance(sections, list) and getattr(op, "axis", 0) in (-1, rank - 1):
        return sections[index]
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
