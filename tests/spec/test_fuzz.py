"""Any value in any field of any op: a Program, or a SpecError; never another error."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ops.rows import ROWS
from sample_specs import CONTROL, GPT, Data

from blox.schema import Graph, SpecError, op_class, to_json

VALUES: list[Any] = [
    None, True, -1, 0, 1, 3, 2**31, 2**62, -(2**62), 0.5, -0.0, 1e308, "x", "k", "",
    "$n", "$batch", "$0 - n", "$n // 0", "$n * batch", "$n ** 0.5", "...", "$(", "a.b",
    "nothing", "none", [], {}, [0], [-1], [2**62, 2**62], ["$batch"], ["..."], [[]],
    [[0, 2**62]], [[1]], {"x": "x"}, {"kernel": {"name": "orthogonal"}},
]  # fmt: skip


def spec_of(name: str) -> Data:
    """A graph of one node with the operands and attributes of the op's test row."""
    row, cls = ROWS[name][0], op_class(name)
    assert cls is not None
    node: Data = {"op": name, **row.attributes}
    for (field, mark), value in zip(
        cls.fields().operands.items(), row.operands, strict=False
    ):
        if field == cls.ASSIGNS:
            node[field] = "s"
        elif value is not None:
            reference = "k" if mark.kind == "key" else "x"
            node[field] = [reference] * len(value) if mark.many else reference
    inputs = {
        "x": {"shape": ["batch", 8], "dtype": "float"},
        "k": {"shape": [], "dtype": "key"},
    }
    output = "n"
    if cls.OUTPUT_KIND == "key":
        output = "x"
    elif len(names := node.get("names", cls.OUTPUTS)) > 1:
        output = f"n.{names[0]}"
    state: Data = {"s": {"op": "state", "shape": [8]}} if cls.ASSIGNS else {}
    nodes = {**state, "n": node}
    main = {"inputs": inputs, "nodes": nodes, "outputs": {"y": output}}
    return {
        "format": "blox/1",
        "name": "fuzz",
        "attributes": {"n": 4},
        "functions": {"main": main},
    }


def outcome(data: Any) -> str:
    """The text of the error, or nothing; any error but a SpecError is a failure."""
    try:
        graph = Graph.parse(data)
        to_json(graph)
        graph.program()
    except SpecError as error:
        lines = str(error).split("\n")
        assert all(line.isascii() and line.isprintable() for line in lines)
        return lines[0]
    return ""


@pytest.mark.parametrize("name", sorted(ROWS))
def test_any_value_in_any_field(name: str) -> None:
    base = spec_of(name)
    assert outcome(base) == ""
    cls = op_class(name)
    assert cls is not None
    fields = [info.alias or field for field, info in cls.model_fields.items()]
    for field in fields:
        for value in VALUES:
            data = copy.deepcopy(base)
            data["functions"]["main"]["nodes"]["n"][field] = value
            outcome(data)


def places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all parts of plain data."""
    items = list(
        data.items() if isinstance(data, dict)
        else enumerate(data) if isinstance(data, list) else ()
    )  # fmt: skip
    found = [path] if path else []
    for key, part in items:
        found += places(part, (*path, key))
    return found


@settings(max_examples=300)
@given(st.data())
def test_any_value_anywhere(draw: st.DataObject) -> None:
    data: Any = copy.deepcopy(draw.draw(st.sampled_from([GPT, CONTROL])))
    for _ in range(draw.draw(st.integers(1, 3))):
        *outer, last = draw.draw(st.sampled_from(places(data)))
        part = data
        for key in outer:
            part = part[key]
        kind = draw.draw(st.sampled_from(["value", "drop", "copy"]))
        if kind == "value":
            part[last] = draw.draw(st.sampled_from(VALUES))
        elif kind == "drop":
            del part[last]
        else:
            source: Any = data
            for key in draw.draw(st.sampled_from(places(data))):
                source = source[key]
            part[last] = copy.deepcopy(source)
    outcome(data)
