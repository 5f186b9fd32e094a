"""A Program can't be changed: it is kept with its Graph, and every answer is read off it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import pytest
from changes import CHANGES, OTHER
from sample_specs import CONTROL, GPT, spec

from blox.schema import Graph
from blox.schema.resolve.program import Called, Instance, Program, Step
from blox.schema.strict import Strict

COPIES: dict[str, Any] = spec(
    {"h": {"op": "repeat", "function": "layer", "count": 4, "scan": False,
           "carry": {"x": "x"}, "attributes": {"width": [8, 16]}}},
    {"y": "h"},
    functions={"layer": {
        "attributes": ["width"],
        "inputs": {"x": {}},
        "nodes": {
            "up": {"op": "linear", "x": "x", "in_features": 8,
                   "out_features": "$width"},
            "out": {"op": "linear", "x": "up", "in_features": "$width",
                    "out_features": 8},
        },
        "outputs": {"x": "out"},
    }},
)  # fmt: skip
CASES = {"gpt": GPT, "control": CONTROL, "other": OTHER, "copies": COPIES}


def parts(value: Any, seen: set[int]) -> Iterator[Any]:
    """All that a Program consists of, less its Graph, each object once."""
    if id(value) in seen or isinstance(value, Strict):
        return
    seen.add(id(value))
    inner: list[Any] = []
    if is_dataclass(value):
        yield value
        inner = [getattr(value, f.name) for f in fields(value) if f.name != "built"]
    elif isinstance(value, Mapping):
        yield value
        inner = list(value.values())
    elif isinstance(value, (list, tuple)):
        yield value
        inner = list(value)
    for part in inner:
        yield from parts(part, seen)


@pytest.mark.parametrize("case", CASES)
def test_nothing_in_it_can_be_changed(case: str) -> None:
    program = Graph.parse(CASES[case]).program()
    before = repr(program)
    found = list(parts(program, set()))
    kinds = {Program, Instance, Step, list, dict} | (
        {Called} if case != "other" else set()
    )
    assert all(any(isinstance(part, kind) for part in found) for kind in kinds)
    for part in found:
        if is_dataclass(part):
            for field in fields(part):
                with pytest.raises((TypeError, AttributeError)):
                    setattr(part, field.name, None)
                with pytest.raises((TypeError, AttributeError)):
                    delattr(part, field.name)
        elif isinstance(part, (list, dict)):
            for change in CHANGES[list if isinstance(part, list) else dict]:
                with pytest.raises(TypeError, match="can't be changed"):
                    change(part)
        elif isinstance(part, Mapping):
            with pytest.raises(TypeError):
                part["depth"] = 1  # type: ignore[index]
    assert repr(program) == before


def test_copies_that_are_alike_stay_one_object() -> None:
    program = Graph.parse(COPIES).program()
    copies: Any = program.tree["h"]
    assert isinstance(copies, list)
    assert copies[0] is copies[2]
    assert copies[0] is not copies[1]
    assert program.entries["main"].steps[0].tree is copies
