"""The same model with other hyper-parameters, checked as a new one would be."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..content import Content
from ..diagnostics import Diagnostic, Report, SpecError, listing, quote
from ..write.canonical import plain
from .program import Instance, Program, Step

check_shapes: Callable[[Content, Report], None] | None = None
"""Adds the faults of shapes to a report. `blox` sets it: it needs JAX, which this room
does not know. Who uses `blox.schema` alone gets the checks of structure."""


def with_attributes(
    graph: Content, values: Mapping[str, int | float]
) -> dict[str, Any]:
    """The Graph with other hyper-parameters, as plain data.

    Raises:
        SpecError: a name that is not one of them.
    """
    for name in values:
        if name not in graph.attributes:
            have = listing(graph.attributes)
            raise SpecError.one(
                "attribute",
                "attributes",
                f"expected an attribute of the graph ({have}), found {quote(name)}",
            )
    data = plain(graph)
    data["attributes"] = {**graph.attributes, **values}
    return data


def check(graph: Content, program: Program) -> None:
    """Checks the shapes too, where there is JAX to check them with.

    Raises:
        SpecError: every fault of shapes, with the sizes that stayed as they were.
    """
    if check_shapes is not None:
        report = Report()
        check_shapes(graph, report)
        if not report.ok:
            raise SpecError(_hinted(program, d) for d in report.errors)


def _hinted(program: Program, found: Diagnostic) -> Diagnostic:
    """The finding with the sizes that stand as numbers where it lies."""
    if found.hint:
        return found
    every = dict.fromkeys(_numbers(program, found.path.split(".")))
    seen = set(re.findall(r"\d+", found.message))  # these are in its way; others rest
    numbers = [f"{place} {n}" for place, n in every if str(n) in seen]
    numbers = numbers or [f"{place} {n}" for place, n in every]
    if not numbers:
        return found
    hint = (
        f"a number stays as it is: {listing(numbers)}; write what it is made of, such "
        "as `$2 * width`"
    )
    return replace(found, hint=hint)


def _numbers(program: Program, path: list[str]) -> Iterator[tuple[str, int]]:
    """The sizes that are numbers in the node at a path, else in its function."""
    instance = program.entries.get(path[0])
    if instance is None:
        return
    steps = {step.name: step for step in instance.steps}
    for name in path[1:]:
        if name not in steps:
            break
        inner = next(iter(steps[name].instances), None)
        if inner is None:
            found = list(_sizes(instance, steps[name]))
            if found:
                yield from found
                return
            break
        instance = inner
        steps = {step.name: step for step in instance.steps}
    for step in instance.steps:
        yield from _sizes(instance, step)


def _sizes(instance: Instance, step: Step) -> Iterator[tuple[str, int]]:
    node: Any = instance.function.nodes[step.name]
    for field in node.fields().attributes:
        value = getattr(node, field)
        parts = value if isinstance(value, list) else [value]
        for part in parts:
            # Smaller ones are axes and counts rather than sizes.
            if type(part) is int and part > 2:
                yield f"{instance.name}.{step.name}.{field}", part
