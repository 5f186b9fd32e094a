"""A `lax.while_loop`: a test that is one boolean, a carry whose type stays."""

from __future__ import annotations

import jax.numpy as jnp

from blox.schema.ops.loops import WhileLoop

from .base import Control, Rule


def rule(node: Control[WhileLoop]) -> Rule:
    carry = node.typed("carry")
    inputs = node.given("inputs")
    if node.op.index is not None:
        inputs[node.op.index] = node.values.array((), jnp.dtype("int32"))
    body = len(node.callees) - 1
    (test,) = yield 0, {**inputs, **carry}
    if test.shape is not None and not test.unknown:
        test = node.values.as_array(test)
        if test.shape != () or test.dtype != jnp.bool_:
            node.fault(f"expected a boolean scalar of cond, found {test}")
    return (yield from node.loop(body, carry, inputs))
