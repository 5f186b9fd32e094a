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

MUTANTS = int(os.environ.get("BLOX_MUTANTS", "500"))
"""Set it to 10000 for a long run."""
BATCHES = 2


@pytest.mark.parametrize("batch", range(BATCHES))
def test_mutants_are_reported_or_right(batch: int) -> None:
    size = MUTANTS // BATCHES
    seeds = [str(batch * size), str((batch + 1) * size)]
    tests = Path(__file__).parents[1]
    paths = [str(tests), os.environ.get("PYTHONPATH", "")]
    run = subprocess.run(
        [sys.executable, "-m", "mutants.child", *seeds],
        capture_output=True,
        text=True,
        check=False,
        cwd=tests.parent,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
    )
    lines = [line.split(maxsplit=2) for line in run.stdout.splitlines()]
    # A mutant that takes too much time or memory ends the process.
    assert len(lines) == size, f"after {lines[-1:]}: {run.stderr[-2000:]}"
    assert [line for line in lines if line[1] == "ESCAPE"] == []
    counts = Counter(what for _, what, *_ in lines)
    assert min(counts["agrees"], counts["reported"]) > size / 5


@pytest.mark.parametrize("file", BASES, ids=lambda file: file.stem)
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
