"""Arrays that a call changes: each is assigned where the function that owns it ends."""

from __future__ import annotations

from collections.abc import Mapping

from .closing import given_to
from .regions import everything, is_under, made, steps_in, updates
from .trace import Param, Region, Step, Value


def assignment(param: Param, value: Value) -> Step:
    """The step that gives an array of the model its next value."""
    output = Value(param.shape, param.dtype)
    return Step("assign", {"to": param, "x": value}, {}, [output])


def assign(root: Region, changes: Mapping[Param, Value]) -> None:
    """Adds the steps that give arrays their next values.

    Each stands in the innermost function that makes the value and has all that reads the
    array, as whatever reads it later would see what it becomes.
    """
    there = [step for step in steps_in(root) if step.op == "assign"]
    for param, value in changes.items():
        if any(
            value in s.outputs and s.operands["to"].path == param.path for s in there
        ):
            continue
        region = root
        while (inner := _owner(region, param, value)) is not None:
            region = inner
        region.items.append(assignment(param, value))


def put_last(region: Region) -> None:
    """Assigns at the end of each function: what it calls reads what was there before. Those
    that give what a layer goes on with when it trains stay."""
    region.items.sort(key=_assigns)
    for item in region.items:
        for inner in [item] if isinstance(item, Region) else item.functions.values():
            put_last(inner)


def _assigns(item: Step | Region) -> bool:
    if not isinstance(item, Step) or item.functions or item.attributes.get("training"):
        return False
    return updates(item)


def _owner(region: Region, param: Param, value: Value) -> Region | None:
    """The region in this one that may change an array."""
    for item in region.items:
        if not isinstance(item, Region) or value not in made(item):
            continue
        elsewhere = [other for other in region.items if other is not item]
        own = item.scope is None or is_under(param.path, item.scope)
        read = any(_reads(other, param) for other in elsewhere)
        unread = item.scope is None and not _reads(item, param)
        if own and not read and not unread and param.path not in given_to(item):
            return item
    return None


def _reads(item: Step | Region, param: Param) -> bool:
    return any(isinstance(v, Param) and v.path == param.path for v in everything(item))
