"""Threads that build and generate the same Graph at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import blox as bx
from blox.schema import from_bytes

MODEL = Path(__file__).parents[1] / "mutants" / "many_ops.json"
THREADS = 6


def test_all_get_the_same() -> None:
    graph = from_bytes(MODEL.read_bytes())
    start = Barrier(THREADS)

    def work(_: int) -> tuple[int, str, str]:
        start.wait()
        return id(bx.build(graph)), bx.generate(graph), graph.digest

    with ThreadPoolExecutor(THREADS) as pool:
        assert len(set(pool.map(work, range(THREADS)))) == 1
