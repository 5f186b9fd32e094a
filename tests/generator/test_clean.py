"""Files of every kind have no finding of ruff, nor of `mypy --strict`.

One process of each for all of them: mypy needs ten seconds to read JAX for the first
time, and a file takes it hundredths. In every run the rows of a family of ops are one
file; those of each row, and of many mixtures, are `slow`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType

import pytest
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
    test_names,
    test_output_objects,
    test_reads,
)
SLOW = (op_cases, test_mixtures)


def test_generated_files_are_tidy_and_typed(tmp_path: Path) -> None:
    assert_clean({m: m.files() for m in MODULES}, tmp_path)


@pytest.mark.slow
def test_more_generated_files_are_tidy_and_typed(tmp_path: Path) -> None:
    assert_clean({m: m.slow_files() for m in SLOW}, tmp_path)


def assert_clean(files: Mapping[ModuleType, Mapping[str, str]], folder: Path) -> None:
    sources = {
        f"{_title(module).removeprefix('test_')}_{name}": source
        for module, named in files.items()
        for name, source in named.items()
    }
    assert_tidy(sources, folder)
    assert_typed(sources, folder)


@pytest.mark.parametrize(
    ("function", "modules"), [("files", MODULES), ("slow_files", SLOW)]
)
def test_no_module_is_left_out(function: str, modules: Iterable[ModuleType]) -> None:
    having = {
        path.stem
        for path in Path(__file__).parent.glob("*.py")
        if f"\ndef {function}()" in path.read_text(encoding="utf-8")
    }
    assert having == {*map(_title, modules)}


def _title(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2]
