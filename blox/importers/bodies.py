"""Functions of loops and branches as regions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .naming import argument_name
from .regions import fresh, needed, steps_in, tidy, tree
from .state import assign
from .trace import Item, Param, Region, Step, Value

WITH_REMAT = ("scan", "repeat")
"""The ops whose function may be computed again in gradients."""


def region_of(
    items: Sequence[Item],
    name: str,
    outputs: Mapping[str, Value],
    changes: Mapping[Param, Value],
) -> Region:
    """A region of the items that its outputs need, and the next values of arrays."""
    region = tree(needed(items, [*outputs.values(), *changes.values()]), name)
    region.outputs = dict(outputs)
    assign(region, changes)
    tidy(region)
    return region


def adopt(step: Step) -> None:
    """Gives each body that only calls one region the name, the arguments and the items of
    that, and inputs that are parts of something the names that a layer has for them."""
    for body in step.functions.values():
        only = body.items[0] if len(body.items) == 1 else None
        if not isinstance(only, Region):
            continue
        if only.remat and step.op not in WITH_REMAT:
            continue
        if only.remat:
            step.attributes["remat"] = only.remat
        if only.name != "checkpointed":
            body.name, body.doc = only.name, only.doc
            body.arguments = only.arguments
        body.items, body.scope = only.items, only.scope
        _rename(step, {v: n for n, v in reversed(body.arguments.items())})
    for body in step.functions.values():
        parts = {v for v in body.inputs if "[" in v.hint}
        _rename(step, {v: n for v, n in _taken(body).items() if v in parts})


def _taken(body: Region) -> dict[Value, str]:
    """What layers take, by the names of their operands."""
    found: dict[Value, str] = {}
    for inner in steps_in(body):
        for name, value in inner.operands.items() if inner.slots else ():
            if isinstance(value, Value):
                found.setdefault(value, name)
    return found


def _rename(step: Step, wanted: Mapping[Value, str]) -> None:
    """Other names for inputs that are settled, in the functions, operands and outputs."""
    every = {v: n for body in step.functions.values() for v, n in body.inputs.items()}
    taken = {n for v, n in every.items() if v not in wanted}
    taken |= {n for n in step.output_names if n not in every.values()}
    names: dict[str, str] = {}
    for value, name in every.items():
        if value in wanted:
            names[name] = fresh(taken, argument_name(wanted[value]))
            taken.add(names[name])
    for body in step.functions.values():
        body.inputs = {v: names.get(n, n) for v, n in body.inputs.items()}
        if body is not step.functions.get("cond"):
            body.outputs = {names.get(n, n): v for n, v in body.outputs.items()}
    for group in ("carry", "slices"):
        if group in step.operands:
            given = step.operands[group]
            step.operands[group] = {names.get(n, n): x for n, x in given.items()}
    if "step" in step.operands:
        name = step.operands["step"]
        step.operands["step"] = names.get(name, name)
    step.output_names = tuple(names.get(n, n) for n in step.output_names)
