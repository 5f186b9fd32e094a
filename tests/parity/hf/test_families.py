"""Families of checkpoints against transformers: see families.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from parity.hf.checks import (
    check_generated,
    check_gradients,
    check_outputs,
    check_round_trip,
    check_steps,
    imported,
    inputs_of,
)
from parity.hf.families import ROWS

from blox.importers.hf.registry import MODULES
from blox.schema.resolve.resolver import validate

pytestmark = pytest.mark.parity


def cases() -> Any:
    for family, rows in ROWS.items():
        for i, (cls, config) in enumerate(rows):
            marks = [pytest.mark.slow] if i else []
            yield pytest.param(cls, config, id=f"{family}-{i}-{cls}", marks=marks)


@pytest.mark.parametrize(("cls", "config"), list(cases()))
def test_a_model(cls: str, config: dict[str, Any], tmp_path: Path) -> None:
    found = imported(cls, config, tmp_path / "theirs")
    assert list(validate(found.graph)) == []
    check_outputs(found, inputs_of(found))
    check_round_trip(found, tmp_path / "ours")
    if "step" in found.graph.entries:
        check_steps(found)


@pytest.mark.parametrize("family", ROWS)
def test_gradients_and_the_generated_file(family: str, tmp_path: Path) -> None:
    found = imported(*ROWS[family][0], tmp_path / "theirs")
    check_gradients(found, inputs_of(found), tmp_path / "gradients")
    check_generated(found)


def test_every_family_has_rows() -> None:
    assert ROWS.keys() == MODULES.keys()
