"""Nodes that run functions: what flows into these, and what comes of it.

A rule is a generator: it yields which callee runs with which inputs, gets the outputs of
that, and returns those of the node. Who drives it decides how a callee runs: the engine
infers an instance, the builder traces a Python function.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax.numpy as jnp

from blox.schema.op import ScopeOp
from blox.schema.resolve.program import literal_dtype

from .values import Value, Values

Inputs = dict[str, Value | None]
Outputs = tuple[Value, ...]
Rule = Generator[tuple[int, Inputs], Outputs, Outputs]


@dataclass
class Control:
    """A node that runs functions, in one lane.

    Args:
        op: resolved as far as attributes go.
        outputs: their names.
        groups: what it gives to functions, by field (`inputs`, `carry`, `xs`) and name;
            an operand of its own under its field's name.
        callees: one for each function or copy; those that are equal run alike.
        declared: the dtypes that the last callee declares of its inputs.
        sizes: of attributes and dims here.
    """

    op: ScopeOp
    outputs: tuple[str, ...]
    groups: Mapping[str, Any]
    callees: Sequence[Any]
    declared: Mapping[str, str | None]
    size: Callable[[Any], Any]
    values: Values
    dtype: Any
    faults: list[str] = field(default_factory=list)

    def fault(self, text: str) -> None:
        self.faults.append(text)

    def given(self, name: str) -> Inputs:
        return {n: v for n, v in self.groups.get(name, {}).items() if v is not None}

    def typed(self, name: str) -> Inputs:
        """The carry or xs: literals become arrays, as loops want types that stay."""
        found = self.given(name)
        for key, value in found.items():
            literal = None if value is None else value.literal
            if literal is not None:
                dtype: Any = literal_dtype(literal, self.declared.get(key))
                dtype = self.dtype if dtype == "float" else jnp.dtype(dtype)
                shape = (len(literal),) if isinstance(literal, tuple) else ()
                found[key] = self.values.array(shape, dtype)
        return found

    def cut(self, xs: Inputs, axis: Any, count: Any) -> tuple[Inputs, Any]:
        """One slice of each of xs along axis, and how many there are."""
        found: Inputs = {}
        for name, value in xs.items():
            found[name] = self.values.lost()
            if value is None or value.shape is None or type(axis) is not int:
                continue
            rank = len(value.shape)
            if value.literal is not None or not -rank <= axis < rank:
                self.fault(f"{name}: expected an axis {axis}, found {value}")
                continue
            at = axis % rank
            size = value.shape[at]
            shape = (*value.shape[:at], *value.shape[at + 1 :])
            found[name] = self.values.array(shape, value.dtype, value.weak)
            if count is None:
                count = size
            elif not self._may_be(size, count):
                self.fault(f"{name}: expected {count} slices, found {size}")
        return found, count

    def _may_be(self, size: Any, count: Any) -> bool:
        lost = self.values.array((size, count), jnp.dtype("float32")).unknown
        return lost or bool(size == count)

    def stacked(self, value: Value, count: Any, axis: Any) -> Value:
        """An output of every step, stacked on a new axis."""
        value = self.values.as_array(value)
        if value.shape is None or count is None or type(axis) is not int:
            return self.values.lost(value.dtype)
        rank = len(value.shape) + 1
        if not -rank <= axis < rank:
            self.fault(f"expected an axis {axis} to stack on, found {value}")
            return self.values.lost(value.dtype)
        at = axis % rank
        shape = (*value.shape[:at], count, *value.shape[at:])
        return self.values.array(shape, value.dtype, value.weak)

    def next_carry(self, carry: Inputs, outputs: Outputs) -> bool:
        """Compares the next carry with the one before, which takes a stronger type.

        Returns:
            True where the carry changed, so that the body is to run again.
        """
        again = False
        for name, after in zip(self.outputs, outputs, strict=True):
            if name not in carry:
                continue
            before, after = carry[name], self.values.as_array(after)
            if before is None or before is after:
                continue
            if before.literal is not None:
                before = self.values.as_array(before)
            if None in (before.shape, after.shape, before.dtype, after.dtype):
                continue
            same = before.shape == after.shape or before.unknown or after.unknown
            if same and before.dtype == after.dtype:
                if before.weak and not after.weak:
                    carry[name], again = after, True
            elif same and before.weak:
                dtype = jnp.promote_types(before.dtype, after.dtype)
                carry[name] = self.values.array(before.shape or (), dtype)
                again = True
            elif not (same and after.weak):
                self.fault(
                    f"carry.{name}: expected the next carry to be as the one before, "
                    f"{before}, found {after}"
                )
                carry[name] = self.values.lost(before.dtype)
        return again

    def loop(self, body: int, carry: Inputs, rest: Inputs) -> Rule:
        """Runs a body until the types of its carry stay."""
        for _ in range(4):
            before = len(self.faults)
            outputs = yield body, {**rest, **carry}
            if not self.next_carry(carry, outputs) or len(self.faults) > before:
                break
        return tuple(
            carry[n] or out if n in carry and carry[n].shape is not None else out  # type: ignore[union-attr]
            for n, out in zip(self.outputs, outputs, strict=True)
        )


def call(node: Control) -> Rule:
    outputs = yield 0, node.given("inputs")
    return outputs


def scan(node: Control) -> Rule:
    """A `lax.scan`: slices of xs, a carry whose type stays, the rest stacked."""
    op: Any = node.op
    repeat = op.op == "repeat"
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
            node.fault(f"{name}: expected a scalar, found {value}")
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


def rule(node: Control) -> Rule:
    op: Any = node.op
    name = op.op
    if name == "repeat":
        name = "repeat_scan" if op.scan else "repeat_list"
    return RULES[name](node)
