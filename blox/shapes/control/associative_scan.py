"""An associative scan: a function of two elements that gives one which is alike."""

from __future__ import annotations

from blox.schema.ops.loops import AssociativeScan

from .base import Control, Rule


def rule(node: Control[AssociativeScan]) -> Rule:
    xs = node.typed("xs")
    axis = node.size(node.op.axis)
    ranks = {len(x.shape) for x in xs.values() if x is not None and x.shape is not None}
    if type(axis) is int and axis < 0 and len(ranks) > 1:
        found = ", ".join(map(str, xs.values()))
        node.fault(
            f"expected xs of one rank where axis is {axis}, found {found}", "axis"
        )
    cut, _ = node.cut(xs, axis, None)
    second = {node.op.right[n]: x for n, x in cut.items() if n in node.op.right}
    outputs = yield 0, {**node.given("inputs"), **cut, **second}
    gives = dict(zip(node.outputs, outputs, strict=True))
    for name, x in cut.items():
        y = node.values.as_array(gives[name]) if name in gives else None
        if x is None or y is None or None in (x.shape, y.shape, x.dtype, y.dtype):
            continue
        same = x.shape == y.shape or x.unknown or y.unknown
        if not same or x.dtype != y.dtype:
            node.fault(
                f"expected an element as what it takes, {x}, found {y}", f"xs.{name}"
            )
    return tuple(xs.get(n) or node.values.lost() for n in node.outputs)
