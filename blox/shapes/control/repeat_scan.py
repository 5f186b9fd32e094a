"""A scanned repeat: a `lax.scan` of its copies, on the leading axis."""

from __future__ import annotations

from blox.schema.ops.loops import RepeatScan

from .base import Control, Rule
from .scan import scanned


def rule(node: Control[RepeatScan]) -> Rule:
    return (yield from scanned(node, 0, node.op.count))
