"""A rule per control op: which functions run with what, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from .control import Control, Rule
from .values import Value


def call(node: Control) -> Rule:
    outputs = yield 0, node.given("inputs")
    return outputs


def scan(node: Control) -> Rule:
    """A `lax.scan`: slices of xs, a carry whose type stays, the rest stacked."""
    op: Any = node.op
    repeat = op.CONTROL == "repeat_scan"
    axis = 0 if repeat else node.size(op.axis)
    count = node.size(op.count if repeat else op.length)
    cut, count = node.cut(node.typed("xs"), axis, count)
    rest = node.given("inputs") | cut
    if op.index is not None:
        rest[op.index] = node.values.array((), jnp.dtype("int32"))
    carry = node.typed("carry")
    outputs = yield from node.loop(0, carry, rest)
    return tuple(
        out if n in carry else node.stacked(out, count, axis)
        for n, out in zip(node.outputs, outputs, strict=True)
    )


def unrolled(node: Control) -> Rule:
    """Copy after copy; those that are like one before are not run again."""
    op: Any = node.op
    carry = node.typed("carry")
    xs = node.given("xs")
    literals = {n: _stand_in(v.literal) for n, v in xs.items() if v and v.literal}
    arrays = {n: v for n, v in xs.items() if n not in literals}
    count = len(node.callees)
    cut, _ = node.cut(arrays, 0, node.size(op.count))
    rest = node.given("inputs") | cut
    rest |= {n: node.values.number(v) for n, v in literals.items()}
    if op.index is not None:
        # One number for all: what is right for the last is so for those before.
        rest[op.index] = node.values.number(max(count - 1, 0))
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
            if known and old.shape != out.shape:
                node.fault(
                    f"expected all copies to give one {name}, found {old} and {out}"
                )
        if alike and carry == before:
            break  # so it goes on
    lost = node.values.lost()
    return tuple(
        carry[n] or lost
        if n in carry
        else node.stacked(first.get(n, lost), node.size(op.count), 0)
        for n in node.outputs
    )


def _stand_in(literal: Any) -> Any:
    """The number of a list that is hardest to hold: a float if any, else the largest."""
    return max(literal, key=lambda v: (isinstance(v, float), abs(v)))


def map_(node: Control) -> Rule:
    op: Any = node.op
    axis = node.size(op.axis)
    cut, count = node.cut(node.given("xs"), axis, node.size(op.count))
    outputs = yield 0, node.given("inputs") | cut
    return tuple(node.stacked(out, count, axis) for out in outputs)


def branches(node: Control) -> Rule:
    """A `lax.cond` or `lax.switch`: all callees get the same and give the same."""
    inputs = node.given("inputs")
    for name in ("predicate", "index"):
        value = node.groups.get(name)
        if isinstance(value, Value) and value.shape:
            node.fault(f"expected a scalar, found {value}", name)
        elif name == "index" and isinstance(value, Value) and not _is_integer(value):
            node.fault(f"expected an integer, found {value}", name)
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
                    f"expected all branches to give one {name}, found {old} and {new}"
                )
                found[at] = node.values.lost()
            elif old.weak:
                found[at] = new
    return tuple(found)


def _is_integer(value: Value) -> bool:
    if value.literal is not None:
        return isinstance(value.literal, int)
    return value.dtype is None or bool(jnp.issubdtype(value.dtype, jnp.integer))


def while_loop(node: Control) -> Rule:
    carry = node.typed("carry")
    inputs = node.given("inputs")
    body = len(node.callees) - 1
    (test,) = yield 0, {**inputs, **carry}
    if test.shape is not None and not test.unknown:
        test = node.values.as_array(test)
        if test.shape != () or test.dtype != jnp.bool_:
            node.fault(f"expected a boolean scalar of cond, found {test}")
    return (yield from node.loop(body, carry, inputs))


RULES: dict[str, Callable[[Control], Rule]] = {
    "call": call,
    "repeat_scan": scan,
    "repeat_list": unrolled,
    "scan": scan,
    "map": map_,
    "cond": branches,
    "switch": branches,
    "while_loop": while_loop,
}
"""By the module of `runtime.control` that runs them."""


def no_copies(node: Control) -> Rule:
    """A repeat of count 0: the carry as it came."""
    carry, lost = node.typed("carry"), node.values.lost()
    return tuple(carry.get(n) or lost for n in node.outputs)
    yield  # a rule is a generator, even where nothing runs


def rule(node: Control) -> Rule:
    """The rule of the op's kind of control."""
    return RULES[node.op.CONTROL](node) if node.callees else no_copies(node)
