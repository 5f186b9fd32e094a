"""Nodes that are alike: an op with its attributes and arrays, whatever flows in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from blox.runtime.interpreter import call_op
from blox.schema.expressions import names
from blox.schema.fields import is_expression
from blox.schema.op import Op
from blox.schema.parameters import Leaf
from blox.schema.resolve.program import Arg, Args, Step, flat

from .faults import Fault
from .values import Value, canonical

FLOAT = jnp.dtype("float32")


@dataclass(frozen=True, slots=True)
class Lane:
    """What a run over a Graph fixes besides its sizes."""

    train: bool = False
    dtype: Any = FLOAT
    """The model's floating type."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a node gives: its outputs as far as they are known, and its fault."""

    outputs: tuple[Value | None, ...]
    """None for a key that only training draws."""
    fault: Fault | None = None
    cost: Any = None
    """What the trace of it costs, where that is counted."""


Leaves = Leaf | dict[str, Leaf]


@dataclass(eq=False, slots=True)
class Kind:
    """All nodes that differ only in their names and in what flows in: an op with its
    attributes resolved, its operands numbered, and the arrays that it owns."""

    op: Op
    args: Args
    leaves: Leaves
    sources: int
    names: tuple[str, ...]
    """The dims that its expressions speak of."""
    texts: tuple[str, ...]
    act: Any
    floats: bool
    """True where the model's floating type matters beyond what flows in."""

    @classmethod
    def of(cls, op: Op, args: Args, leaves: Leaves) -> Kind:
        sources = sum(a.source is not None for a in flat(args))
        literals = [a.value for a in flat(args) if a.source is None]
        texts = tuple(
            dict.fromkeys((*(t for _, t in op.expressions()), *_expressions(literals)))
        )
        used = tuple(sorted({n for text in texts for n in names(text)}))
        step = Step("", "", op, (), args, {}, op.outputs())
        step.tree = leaves  # type: ignore[assignment]
        parts = [leaves] if isinstance(leaves, Leaf) else leaves.values()
        floats = any(leaf.dtype == "float" for leaf in parts)
        floats = floats or op.needs_float()
        return cls(op, args, leaves, sources, used, texts, call_op(step), floats)

    def counted(self) -> Kind:
        """The same in its plain form, of which operations are counted."""
        plain = self.op.COUNTED
        if all(getattr(self.op, name) == value for name, value in plain.items()):
            return self
        return Kind.of(self.op.unchecked_copy(**plain), self.args, self.leaves)

    def params(self, dtype: Any) -> Any:
        """The arrays that it owns, abstract."""

        def abstract(leaf: Leaf) -> Any:
            own = dtype if leaf.dtype == "float" else leaf.dtype
            return jax.ShapeDtypeStruct(leaf.full_shape, canonical(own))

        if isinstance(self.leaves, Leaf):
            return abstract(self.leaves)
        return {name: abstract(leaf) for name, leaf in self.leaves.items()}


def numbered(args: Args) -> Args:
    """Arguments whose sources are numbers in order, one output each."""
    count = 0

    def one(arg: Arg) -> Arg:
        nonlocal count
        if arg.source is None:
            return arg
        count += 1
        return Arg(str(count - 1), 0, kind=arg.kind, optional=arg.optional)

    return {
        name: [one(a) for a in arg] if isinstance(arg, list) else one(arg)
        for name, arg in args.items()
    }


def _expressions(values: Any) -> Iterator[str]:
    for value in values:
        if isinstance(value, (tuple, list)):
            yield from _expressions(value)
        elif is_expression(value):
            yield value
