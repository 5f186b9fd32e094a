"""A call of a function: its outputs."""

from __future__ import annotations

from blox.schema.ops.control import Call

from .base import Control, Rule


def rule(node: Control[Call]) -> Rule:
    outputs = yield 0, node.given("inputs")
    return outputs
