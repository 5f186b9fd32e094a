"""A `jax.vmap` of a function over slices of xs, its outputs stacked."""

from __future__ import annotations

from blox.schema.ops.loops import Map

from .base import Control, Rule


def rule(node: Control[Map]) -> Rule:
    axis = node.size(node.op.axis)
    cut, count = node.cut(node.given("xs"), axis, node.size(node.op.count))
    outputs = yield 0, node.given("inputs") | cut
    return tuple(node.stacked(out, count, axis) for out in outputs)
