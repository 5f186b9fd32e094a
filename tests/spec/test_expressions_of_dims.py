"""Expressions over dims: their kind, and what no sizes would make right."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sample_specs import Data, spec

from blox.schema import Graph, SpecError
from blox.schema.expressions import ExpressionError, Kind
from blox.schema.resolve.resolver import validate
from blox.schema.undecided import kind_of

VALUES = {"width": 8, "rate": 0.5, "huge": 10**9}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("$seq", "int"),
        ("$seq % 3 + width", "int"),
        ("$seq * rate", "float"),
        ("$seq / width", "float"),
        ("$seq ** 2", "int"),
        ("$seq ** -1", "float"),
        ("$seq ** 0.5", "float"),
        ("$(seq * rate) ** 1000000000", "float"),
        ("$(seq + batch) ** 6", "int"),
        ("$seq ** 64", "int"),
        ("$min(seq, 8)", "int"),
        ("$max(seq / 2, rate)", "float"),
        ("$width ** 2 * rate", "float"),
    ],
)
def test_kinds(text: str, kind: Kind) -> None:
    assert kind_of(text, VALUES) == kind


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("$min(seq, 2.5)", "min of integers alone or of floats alone, found both"),
        ("$max(seq / 2, width, seq)", "max of integers alone or of floats alone"),
        ("$2 ** seq", "an exponent that no dim decides"),
        ("$width ** min(seq, 2)", "an exponent that no dim decides"),
        ("$seq ** huge", "a power of dims of at most 64 terms"),
        ("$seq ** 65", "of a degree of at most 64"),
        ("$(seq ** 9) ** 9", "of a degree of at most 64"),
        ("$(seq * batch * seq) ** 22", "of a degree of at most 64"),
        ("$(seq + batch) ** 7", "a power of dims of at most 64 terms"),
        ("$seq + 1 // (width - 8)", "division by zero"),
        ("$seq * 2 ** 10 ** 9", "beyond 64 bits"),
    ],
)
def test_what_no_sizes_make_right(text: str, why: str) -> None:
    with pytest.raises(ExpressionError, match=re.escape(why)):
        kind_of(text, VALUES)


ZEROS: Data = {"op": "zeros", "dtype": "float"}


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"nodes": {"n": ZEROS | {"shape": ["$2 ** batch"]}}},
            "main.n.shape: expected an exponent that no dim decides",
        ),
        (
            {"nodes": {"n": {"op": "add", "a": "x", "b": "$min(batch, 0.5)"}}},
            "main.n.b: expected min of integers alone or of floats alone, found both",
        ),
        (
            {"nodes": {"n": ZEROS | {"shape": ["$batch ** huge"]}}},
            "main.n.shape: expected a power of dims of at most 64 terms",
        ),
        (
            {"nodes": {"n": ZEROS | {"shape": ["$batch + 1 % (huge - huge)"]}}},
            "main.n.shape: division by zero",
        ),
        (
            {
                "nodes": {"n": {"op": "relu", "x": "x"}},
                "inputs": {
                    "x": {"shape": ["batch"], "dtype": "float"},
                    "y": {"shape": ["$batch ** huge"], "dtype": "float"},
                },
            },
            "main.inputs.y.shape: expected a power of dims",
        ),
        (
            {
                "nodes": {"n": {"op": "relu", "x": "x"}},
                "constraints": ["max(batch, 2.5) >= 2"],
            },
            "constraints.0: expected max of integers alone or of floats alone",
        ),
        (
            {
                "nodes": {"n": {"op": "relu", "x": "x"}},
                "dims": {"batch": {"min": "$min(huge, 1) % 0"}},
            },
            "dims.batch.min: division by zero",
        ),
    ],
)
def test_faults_name_their_place(changes: dict[str, Any], line: str) -> None:
    graph = Graph.parse(spec(**changes, attributes={"huge": 10**9}))
    (found,) = validate(graph).errors
    assert str(found).startswith(line)


@pytest.mark.parametrize("name", ["min", "max"])
@pytest.mark.parametrize("place", ["attribute", "dim", "input", "own"])
def test_the_functions_are_no_names(name: str, place: str) -> None:
    nodes: Data = {"n": {"op": "relu", "x": "x"}}
    data = spec(nodes)
    main = data["functions"]["main"]
    match place:
        case "attribute":
            data["attributes"] = {name: 1}
        case "dim":
            main["inputs"]["x"]["shape"] = [name]
        case "input":
            main["inputs"][name] = {"shape": [], "dtype": "float"}
        case "own":
            main["attributes"] = [name]
    with pytest.raises(SpecError, match="shadows"):
        Graph.parse(data).program()
