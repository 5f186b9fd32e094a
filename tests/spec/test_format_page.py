"""docs/format.md says what the code holds to: its limits and its examples of names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from blox.schema import diagnostics as errors
from blox.schema import (
    expressions,
    fields,
    from_bytes,
    limits,
    literals,
    names,
    to_json,
)
from blox.schema.parse import reader
from blox.schema.undecided import MAX_POWER

PAGE = (Path(__file__).parents[2] / "docs" / "format.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("row", "value"),
    [
        ("bytes of a Graph's file", f"{reader.MAX_BYTES // 2**20} MiB"),
        ("objects and lists within each other", f"{reader.MAX_DEPTH}"),
        ("keys and values together", f"{reader.MAX_ITEMS:,}"),
        (
            "characters of a text / of an expression / of a name",
            f"{reader.MAX_TEXT:,} / {expressions.MAX_LENGTH} / {names.MAX_NAME}",
        ),
        ("degree / terms of a power of dims", f"{MAX_POWER} / {MAX_POWER}"),
        ("calls below each other", f"{limits.MAX_CALL_DEPTH}"),
        ("functions, counted per distinct values", f"{limits.MAX_INSTANCES:,}"),
        ("nodes of all these together", f"{limits.MAX_STEPS:,}"),
        ("nodes that a trace visits", f"{limits.MAX_TRACED:,}"),
        ("nodes that a run visits", "10¹²"),
        (
            "arrays of a model / counted at each level",
            f"{limits.MAX_ARRAYS:,} / {limits.MAX_LEAVES:,}",
        ),
        (
            "names in the path of an array / in `params` of one node",
            f"{limits.MAX_DEPTH} / {fields.MAX_PATH}",
        ),
        ("elements of one parameter or input", "2⁴⁰"),
        ("elements of a literal", f"{literals.MAX_LITERAL:,}"),
        ("faults that are reported one by one", f"{errors.MAX_DIAGNOSTICS}"),
    ],
)
def test_limits(row: str, value: str) -> None:
    (line,) = re.findall(rf"^\| {re.escape(row)}.* \| (.*) \|$", PAGE, re.MULTILINE)
    assert line == value
    assert limits.MAX_RAN == 10**12
    assert limits.MAX_ELEMENTS == 2**40


def test_the_grammar_of_names() -> None:
    assert names.NAME.replace("?:", "") in PAGE


def test_the_whole_graph_of_the_page() -> None:
    text = PAGE.split("```json\n")[1].split("```")[0]
    graph = from_bytes(text.encode())
    assert to_json(graph) == text
    found = {path: leaf.shape for path, leaf in graph.program().leaves().items()}
    assert found == {
        "up.kernel": (4, 16),
        "up.bias": (16,),
        "down.kernel": (16, 2),
        "down.bias": (2,),
    }
