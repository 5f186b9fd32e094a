"""Mutants of our own models are reported, or file and loaded model agree."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from mutants.judging import judge
from mutants.mutating import BASES, KINDS, base, mutant

FEW = 80
MANY = int(os.environ.get("BLOX_MUTANTS", "500"))
"""Of the slow run; set it to 10000 for a long one."""
BATCHES = 2


def test_mutants_are_reported_or_right() -> None:
    assert_all_are_judged(range(FEW))


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(BATCHES))
def test_many_mutants_are_reported_or_right(batch: int) -> None:
    size = MANY // BATCHES
    assert_all_are_judged(range(batch * size, (batch + 1) * size))


def assert_all_are_judged(seeds: range) -> None:
    """In a process of its own, which bounds the time and memory of each mutant."""
    tests = Path(__file__).parents[1]
    paths = [str(tests), os.environ.get("PYTHONPATH", "")]
    run = subprocess.run(
        [sys.executable, "-m", "mutants.child", str(seeds.start), str(seeds.stop)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tests.parent,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
    )
    lines = [line.split(maxsplit=2) for line in run.stdout.splitlines()]
    # A mutant that takes too much time or memory ends the process.
    assert len(lines) == len(seeds), f"after {lines[-1:]}: {run.stderr[-2000:]}"
    assert [line for line in lines if line[1] == "ESCAPE"] == []
    counts = Counter(what for _, what, *_ in lines)
    assert min(counts["agrees"], counts["reported"]) > len(seeds) / 6


@pytest.mark.parametrize("file", dict.fromkeys(BASES), ids=lambda file: file.stem)
def test_the_models_themselves_are_right(file: Path) -> None:
    assert judge(json.loads(base(file))) == "agrees"


def test_every_kind_of_change_happens() -> None:
    """Each kind finds something to change in some model, and changes it in place."""
    import random

    for kind in KINDS:
        changed = 0
        for seed in range(60):
            text = base(BASES[seed % len(BASES)])
            data = json.loads(text)
            kind(data, random.Random(seed))
            changed += json.dumps(data) != text
        assert changed > 2, kind


def test_mutants_are_those_of_their_number() -> None:
    assert [mutant(s) for s in range(20)] == [mutant(s) for s in range(20)]
    assert len({json.dumps(mutant(s)) for s in range(100)}) > 95
