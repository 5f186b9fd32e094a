"""The work of every step grows as a model does: calls are counted, at three sizes.

The kinds of models and the steps are those of `benchmarks/growth.py`, which has seconds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from benchmark_files import benchmark
from work import counted

SIZE, SLACK = 40, 8_000


def growth() -> Any:
    """The benchmark as a module."""
    return benchmark("growth")


ROWS = [
    (step, kind)
    for step, kind in growth().rows(list(growth().STEPS), list(growth().KINDS))
    if step not in growth().ARRAYS or kind in ("nodes", "leaves", "shards")
    if growth().KINDS[kind] not in growth().growing.FAULTY
]


@pytest.mark.parametrize(("step", "kind"), ROWS)
def test_work_grows_linearly(step: str, kind: str, tmp_path: Path) -> None:
    def calls(size: int) -> int:
        case = growth().Case(kind, size, tmp_path / str(size))
        work = getattr(case, step)()
        with counted() as count:
            work()
        return count.calls

    calls(16)  # imports, caches
    small, middle, large = (calls(n * SIZE) for n in (1, 2, 4))
    # Twice the items for twice the work, whatever the first one costs.
    assert large - middle < 2.4 * (middle - small) + SLACK, (small, middle, large)
