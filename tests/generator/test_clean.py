"""Files of every kind have no finding of ruff, nor of `mypy --strict`.

One process of each for all of them: mypy needs ten seconds to read JAX for the first
time, and a file takes it hundredths.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from generated_files import assert_tidy, assert_typed
from generator import (
    array_cases,
    op_cases,
    test_attributes,
    test_constants,
    test_expressions_written,
    test_fuzz,
    test_hostile,
    test_kinds,
    test_mixtures,
    test_names,
    test_output_objects,
    test_reads,
)

MODULES = (
    array_cases,
    op_cases,
    test_attributes,
    test_constants,
    test_expressions_written,
    test_fuzz,
    test_hostile,
    test_kinds,
    test_mixtures,
    test_names,
    test_output_objects,
    test_reads,
)


def test_generated_files_are_tidy_and_typed(tmp_path: Path) -> None:
    sources = {}
    for module in MODULES:
        for name, source in module.files().items():
            sources[f"{_title(module).removeprefix('test_')}_{name}"] = source
    assert_tidy(sources, tmp_path)
    assert_typed(sources, tmp_path)


def test_no_module_is_left_out() -> None:
    having = {
        path.stem
        for path in Path(__file__).parent.glob("*.py")
        if "\ndef files()" in path.read_text(encoding="utf-8")
    }
    assert having == {*map(_title, MODULES)}


def _title(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2]
