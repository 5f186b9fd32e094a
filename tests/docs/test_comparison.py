"""docs/comparison.md is made of what was observed; `tests/parity` observes it again."""

from __future__ import annotations

import json
from typing import Any

from benchmark_files import benchmark
from docs.pages import ROOT

COMPARISON = ROOT / "benchmarks" / "comparison"


def page(monkeypatch: Any) -> Any:
    monkeypatch.syspath_prepend(str(COMPARISON))
    return benchmark("comparison/page")


def test_the_page_is_fresh(monkeypatch: Any) -> None:
    made = page(monkeypatch)
    stale = "is stale; run python benchmarks/compare.py --page"
    assert made.PAGE.read_text(encoding="utf-8") == made.text(), stale


def test_what_is_counted_in_files_is_so(monkeypatch: Any) -> None:
    lines = benchmark("definitions").lines_of_code
    observed = json.loads((COMPARISON / "observed.json").read_text(encoding="utf-8"))
    for library, facts in observed.items():
        counted = page(monkeypatch).from_source(library, lines)
        assert counted.items() <= facts.items(), library
