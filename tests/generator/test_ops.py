"""Every op of the library as a generated file, in the ways that decide its branches."""

from __future__ import annotations

import pytest
from generated_files import assert_same_program
from generator.op_cases import CASES, IDS, Case, graph_of, python_name

import blox as bx


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_generated_op_is_the_loaded_op(case: Case) -> None:
    graph = graph_of(*case)
    assert_same_program(graph, bx.generate(graph))


def files() -> dict[str, str]:
    """Those that `test_clean` checks."""
    return {
        f"{i}_{python_name(case[0])}": bx.generate(graph_of(*case))
        for i, case in enumerate(CASES)
    }
