"""A `lax.cond`: of callees that get the same and give the same, a scalar picks one."""

from __future__ import annotations

from typing import Any

from blox.schema.ops.control import Cond

from ..values import Value
from .base import Control, Rule


def rule(node: Control[Cond]) -> Rule:
    node.scalar("predicate")
    return (yield from branches(node))


def branches(node: Control[Any]) -> Rule:
    """All callees get the same and give the same."""
    inputs = node.given("inputs")
    found: list[Value] = []
    for i in range(len(node.callees)):
        outputs = yield i, inputs
        outputs = tuple(map(node.values.as_array, outputs))
        found = found or list(outputs)
        for at, (name, new) in enumerate(zip(node.outputs, outputs, strict=True)):
            old = found[at]
            if old.shape is None or old.unknown:
                found[at] = new
            elif new.shape is None or new.unknown:
                continue
            elif old.shape != new.shape or (
                old.dtype != new.dtype and not (old.weak or new.weak)
            ):
                node.fault(
                    f"expected all branches to give the same {name}, found {old} and {new}"
                )
                found[at] = node.values.lost()
            elif old.weak:
                found[at] = new
    return tuple(found)
