"""An unrolled repeat: copy after copy; those like one before are not run again."""

from __future__ import annotations

from typing import Any

from blox.schema.ops.loops import RepeatList

from ..values import Value
from .base import Control, Rule


def rule(node: Control[RepeatList]) -> Rule:
    carry = node.typed("carry")
    xs = node.given("xs")
    literals = {n: _stand_in(v.literal) for n, v in xs.items() if v and v.literal}
    arrays = {n: v for n, v in xs.items() if n not in (*literals, *node.lists)}
    count = len(node.callees)
    cut, _ = node.cut(arrays, 0, node.size(node.op.count))
    rest = node.given("inputs") | cut
    rest |= {n: node.values.number(v) for n, v in literals.items()}
    rest |= {n: xs[n] for n in node.lists if n in xs}
    if node.op.index is not None:
        # One number for all: what is right for the last is so for those before.
        rest[node.op.index] = node.values.number(max(count - 1, 0))
    first: dict[str, Value] = {}
    alike = len(set(node.callees)) == 1
    for i in range(count):
        before = dict(carry)
        outputs = yield i, {**rest, **carry}
        for name, out in zip(node.outputs, outputs, strict=True):
            if name in carry:
                carry[name] = out
                continue
            out = node.values.as_array(out)
            old = first.setdefault(name, out)
            known = not (old.unknown or out.unknown)
            types = old.dtype != out.dtype and name in node.op.listed
            if known and (old.shape != out.shape or types):
                node.fault(
                    f"expected all copies to give the same {name}, found {old} and {out}"
                )
        if alike and carry == before:
            break  # so it goes on
    lost = node.values.lost()

    def given(name: str) -> Value:
        if name in carry:
            return carry[name] or lost
        each = first.get(name, lost)
        if name in node.op.listed:
            return each
        return node.stacked(each, node.size(node.op.count), 0)

    return tuple(map(given, node.outputs))


def _stand_in(literal: Any) -> Any:
    """The number of a list that is hardest to hold: a float if any, else the largest."""
    return max(literal, key=lambda v: (isinstance(v, float), abs(v)))
