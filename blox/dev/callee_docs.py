"""The tables of control and loops in docs/ops: which functions an op runs, and how."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any, get_origin

from blox.schema.callee import Callee
from blox.schema.op import ScopeOp


def table(cls: type[ScopeOp]) -> Iterator[str]:
    """A row for each function that an op declares, of each kind that it comes in."""
    yield "| function | its parameters lie under | it takes | it returns |"
    yield "|---|---|---|---|"
    for kind in _kinds(cls):
        op = _example(kind)
        for callee in op.callees():
            right = ["right"] if callee.pairs is not None else []
            takes = ", ".join(f"`{group}`" for group in (*callee.takes, *right))
            cells = (f"`{callee.field}`", _place(op, callee), takes, _returned(callee))
            yield f"| {' | '.join(cells)} |"


def _kinds(cls: type[ScopeOp]) -> list[type[ScopeOp]]:
    """The classes behind one op of a file."""
    module = import_module(cls.__module__)
    found = [getattr(module, name) for name in vars(module)]
    return [
        c
        for c in found
        if isinstance(c, type) and issubclass(c, cls) and "CONTROL" in vars(c)
    ]


def _example(cls: type[ScopeOp]) -> ScopeOp:
    """An op whose functions and sizes are called as its fields are."""
    values: dict[str, Any] = {}
    for name, info in cls.model_fields.items():
        if name in cls.fields().minima or info.is_required():
            several = get_origin(info.annotation) is list
            values[name] = [name] * 2 if several else info.alias or name
    return cls.unchecked(**values)


def _place(op: ScopeOp, callee: Callee) -> str:
    where = "the node" if callee.role is None else f"`node.{callee.role}`"
    if callee.copies is None:
        return where
    how = {
        "one": "",
        "stacked": ", stacked",
        "listed": ", a list",
        "shared": ", one set",
    }[callee.layout]
    optional = not type(op).model_fields[str(callee.copies)].is_required()
    given = f", where `{callee.copies}` is given" if optional else ""
    return f"{where}: `{callee.copies}` copies{how}{given}"


def _returned(callee: Callee) -> str:
    return {
        "anything": "the node's outputs",
        "the carry": "the next carry, and what is stacked",
        "only the carry": "the next carry",
        "the elements": "one element",
        "one value": "one value",
        "the same": "the node's outputs, as the others do",
    }[callee.returns]
