"""Ops whose sizes are symbols: what their arrays are made of, without a number."""

from __future__ import annotations

from typing import Any

from blox.schema.op import Op, ParamOp
from blox.schema.sizes import Unknown


def symbolic(cls: type[Op]) -> Op:
    """An op of a class, each size being a symbol of its own name."""
    fields = cls.fields()
    values: dict[str, Any] = {"op": cls.model_fields["op"].default}
    for field in fields.minima:
        several = field in fields.lists
        name = Unknown.named(field)
        values[field] = [Unknown(f"{field}...", name.names)] if several else name
    values |= {field: field for field in fields.dtypes if issubclass(cls, ParamOp)}
    values |= dict.fromkeys(fields.texts, "")
    return cls.unchecked(**values)


def sizing(cls: type[Op]) -> set[str]:
    """The attributes that say what arrays an op owns: sizes, dtypes, flags."""
    op = symbolic(cls)
    leaves = op.parameters()
    found = {
        name
        for leaf in leaves.values()
        for size in leaf.shape
        if isinstance(size, Unknown)
        for name in size.names
    }
    found |= {leaf.dtype for leaf in leaves.values()} & op.fields().dtypes
    return found | set(flags(op))


def flags(op: Op) -> dict[str, set[str]]:
    """The booleans that decide of arrays: which are there only where it is true."""
    found = {}
    for name in op.fields().attributes:
        if getattr(op, name, None) is True:
            without = op.unchecked_copy(**{name: False}).parameters()
            if missing := op.parameters().keys() - without.keys():
                found[name] = missing
    return found
