"""Whole models of the libraries: numbers, and the file that is generated of each."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from generated_files import assert_same_program
from importers.agreement import quick
from parity.importers.zoo import CASES, Case
from parity.importers.zoo.written import gpt

import blox as bx
from blox.importers.proof import random_inputs

pytestmark = pytest.mark.parity
GOLDEN = Path(__file__).parents[2] / "golden" / "imported"
"""Written by `python tests/parity/importers/write_golden.py`."""
SIZES = {"batch": 2, "seq": 5}
SAME: dict[str, dict[str, bool]] = {
    "equinox_gpt": {},
    "haiku_gpt": {},
    "linen_gpt": {"apart": True},
    "nnx_gpt": {"apart": True, "dropout": True},
}


@cache
def imported(name: str) -> tuple[Case, Any]:
    case = CASES[name]()
    return case, case.imported(name)


def golden(name: str) -> list[str]:
    return (GOLDEN / f"{name}.py").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("name", CASES)
def test_a_model_is_imported_as_it_is_written_down(name: str) -> None:
    _, (graph, _, _) = imported(name)
    source = bx.generate(graph)
    assert source.splitlines()[3:] == golden(name)[3:]
    assert_same_program(graph, source)


@pytest.mark.parametrize("name", CASES)
def test_it_computes_what_the_source_does(name: str) -> None:
    case, (graph, params, origin) = imported(name)
    given = list(random_inputs(case.inputs, SIZES, 1, "float32"))
    model = origin.export(params)
    found, _ = quick(bx.build(graph))(params, *given)
    wanted = case.call(model, *given)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", SAME)
def test_a_gpt_has_hardly_more_lines_than_one_that_was_written(name: str) -> None:
    lines = len(bx.generate(gpt(**SAME[name])).splitlines())
    assert len(golden(name)) <= 1.2 * lines


@pytest.mark.parametrize("name", ["linen_tagger", "nnx_tagger"])
def test_gates_are_one_array_and_return_to_theirs(name: str) -> None:
    case, (graph, params, origin) = imported(name)
    (place,) = {p.rpartition(".")[0] for p in bx.leaves(graph) if ".recurrent" in p} - {
        "GRUCell_1",
        "backward.cell",
    }
    assert f"{place}.kernel" in bx.leaves(graph)
    moved = jax.tree.map(lambda a: a * 0.5 + 0.25, params)
    model = origin.export(moved)
    given = list(random_inputs(case.inputs, SIZES, 1, "float32"))
    found, _ = quick(bx.build(graph))(moved, *given)
    np.testing.assert_allclose(found, case.call(model, *given), rtol=1e-5, atol=1e-5)
