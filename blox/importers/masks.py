"""Masks: before code makes numbers of them, and those that attention says itself."""

from __future__ import annotations

from typing import Any

from .simplify import Tree, rewrite
from .trace import Step, Value
from .views import same, same_shape


@rewrite("astype", "not_equal")
def asked(step: Step, tree: Tree) -> Value | None:
    """astype(astype(c, float), bool) -> c; where(c, 1.0, 0.0) != 0.0 -> c"""
    output = step.outputs[0]
    if step.op == "not_equal":
        pair = step.operands["a"], step.operands["b"]
        number = (
            pair[0] if _is_zero(pair[1]) else pair[1] if _is_zero(pair[0]) else None
        )
    else:
        number = step.operands["x"] if output.dtype == "bool" else None
    made = tree.anywhere(number, "astype", "where")
    if made is None or not isinstance(number, Value) or not same_shape(number, output):
        return None
    given = made.operands
    if made.op == "astype":
        condition = given["x"]
    else:
        ones = given["a"] == 1 and _is_zero(given["b"])
        condition = given["condition"] if ones else None
    if not isinstance(condition, Value) or condition.dtype != "bool":
        return None
    return condition if same_shape(condition, output) else None


def _is_zero(operand: Any) -> bool:
    return isinstance(operand, (int, float)) and operand == 0


@rewrite("dot_product_attention")
def causal(step: Step, tree: Tree) -> None:
    """mask=arange(n)[:, None] >= arange(n) -> causal=True"""
    mask = step.operands.get("mask")
    made = tree.anywhere(mask, "greater_equal", "less_equal")
    if made is None or not isinstance(mask, Value):
        return
    late, early = made.operands["a"], made.operands["b"]
    if made.op == "less_equal":
        late, early = early, late
    query, key = step.operands["query"], step.operands["key"]
    column = tree.anywhere(late, "expand_dims")
    if column is None or column.attributes["axis"] not in (-1, [-1]):
        return
    rows = query.shape[-3], key.shape[-3]
    if not _counts(tree, column.operands["x"], rows[0]):
        return
    if mask.ndim == 2 and _counts(tree, early, rows[1]):
        operands = {n: x for n, x in step.operands.items() if n != "mask"}
        attributes = {**step.attributes, "causal": True}
        tree.turn(step, step.op, operands, **attributes)


def _counts(tree: Tree, value: Any, size: Any) -> bool:
    """True of 0, 1, ... up to a size."""
    if not isinstance(value, Value) or value.ndim != 1:
        return False
    made = tree.anywhere(value, "arange")
    if made is None or not same(value.shape[0], size):
        return False
    return (made.attributes.get("start", 0), made.attributes.get("step", 1)) == (0, 1)
