"""A `lax.scan`: slices of xs, a carry whose type stays, the rest stacked."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from blox.schema.ops.loops import RepeatScan, Scan

from .base import Control, Rule


def rule(node: Control[Scan]) -> Rule:
    return (yield from scanned(node, node.size(node.op.axis), node.op.length))


def scanned(node: Control[Scan] | Control[RepeatScan], axis: Any, length: Any) -> Rule:
    """A loop of `length` steps, or as many as the xs have along `axis`."""
    cut, count = node.cut(node.typed("xs"), axis, node.size(length))
    rest = node.given("inputs") | cut
    if node.op.index is not None:
        rest[node.op.index] = node.values.array((), jnp.dtype("int32"))
    carry = node.typed("carry")
    outputs = yield from node.loop(0, carry, rest)
    return tuple(
        out if n in carry else node.stacked(out, count, axis)
        for n, out in zip(node.outputs, outputs, strict=True)
    )
