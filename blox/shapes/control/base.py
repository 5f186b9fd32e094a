"""Nodes that run functions: what flows into these, and what comes of it.

A rule is a generator: it yields which callee runs with which inputs, gets the outputs of
that, and returns those of the node. Who drives it decides how a callee runs: the engine
infers an instance, the builder traces a Python function.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import jax.numpy as jnp

from blox.schema.op import ScopeOp
from blox.schema.resolve.program import literal_dtype

from ..faults import Fault, one_line
from ..symbolic import Symbols
from ..values import Value, Values

Node = TypeVar("Node", bound=ScopeOp)
Inputs = dict[str, Value | None]
Outputs = tuple[Value, ...]
Rule = Generator[tuple[int, Inputs], Outputs, Outputs]


@dataclass
class Control(Generic[Node]):
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

    op: Node
    outputs: tuple[str, ...]
    groups: Mapping[str, Any]
    callees: Sequence[Any]
    declared: Mapping[str, str | None]
    size: Callable[[Any], Any]
    values: Values
    dtype: Any
    lists: frozenset[str] = frozenset()
    """The xs that are lists, of each of which a value is known: that of any array."""
    faults: list[tuple[str, str]] = field(default_factory=list)
    """(field, text)"""
    slices: Any = None
    """How many slices of its xs there are."""

    def fault(self, text: str, field: str = "") -> None:
        self.faults.append((field, text))

    def found(self, symbols: Symbols) -> list[Fault]:
        """The faults of the node, each once."""
        return [
            Fault("shape", symbols.shown(one_line(text)), field=field)
            for field, text in dict.fromkeys(self.faults)
        ]

    def given(self, name: str) -> Inputs:
        return {n: v for n, v in self.groups.get(name, {}).items() if v is not None}

    def scalar(self, name: str) -> Value | None:
        """An operand of its own that has no axes; None where it is not known or faulty."""
        value = self.groups.get(name)
        if not isinstance(value, Value):
            return None
        if value.shape:
            self.fault(f"expected a scalar, found {value}", name)
            return None
        return value

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
                self.fault(f"expected an axis {axis}, found {value}", f"xs.{name}")
                continue
            at = axis % rank
            size = value.shape[at]
            shape = (*value.shape[:at], *value.shape[at + 1 :])
            found[name] = self.values.array(shape, value.dtype, value.weak)
            if count is None:
                count = size
            elif not self._may_be(size, count):
                self.fault(f"expected {count} slices, found {size}", f"xs.{name}")
        self.slices = count
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
            else:
                self.fault(
                    "expected the next carry to be as the one before, "
                    f"{before}, found {after}",
                    f"carry.{name}",
                )
                carry[name] = self.values.lost(before.dtype)
        return again

    def loop(self, body: int, carry: Inputs, rest: Inputs) -> Rule:
        """Runs a body until the types of its carry stay."""
        outputs = yield body, {**rest, **carry}
        for _ in range(3):  # a weak type becomes a strong one once, with a margin
            before = len(self.faults)
            if not self.next_carry(carry, outputs) or len(self.faults) > before:
                break
            outputs = yield body, {**rest, **carry}

        def final(name: str, output: Value) -> Value:
            kept = carry.get(name)
            return output if kept is None or kept.shape is None else kept

        return tuple(map(final, self.outputs, outputs))


def no_copies(node: Control[Node]) -> Rule:
    """A repeat of count 0: the carry as it came."""
    carry, lost = node.typed("carry"), node.values.lost()
    return tuple(carry.get(n) or lost for n in node.outputs)
    yield  # a rule is a generator, even where nothing runs
