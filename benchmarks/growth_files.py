"""Growth of saving, loading and validating with the number of leaves and of shards.

    python benchmarks/growth_files.py [--sizes 500 1000 2000 4000 8000]

Prints milliseconds and, from the second size on, how many times more than at the size
before: where sizes double, 2.0 is linear. A leaf holds 16 values. Files lie in a folder
for temporary files; `--sync` keeps fsync, which takes most of the time of many shards.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import numpy as np

import blox as bx
from blox.io.spec import _parsed
from blox.schema import Graph
from blox.weights import load_flat, read_headers, save_flat, verify


def model(count: int) -> tuple[Graph, dict[str, Any]]:
    """A Graph of `count` leaves that are alike but for their names."""
    nodes: dict[str, Any] = {
        f"n{i}": {"op": "param", "shape": [16], "dtype": "float32"}
        for i in range(count)
    }
    total: dict[str, Any] = {"sum": {"op": "add", "a": "n0", "b": f"n{count - 1}"}}
    main = {"nodes": nodes | total, "outputs": {"y": "sum"}}
    data = {"format": "blox/1", "name": "growth", "functions": {"main": main}}
    return Graph.parse(data), {name: np.ones(16, np.float32) for name in nodes}


def flat(folder: Path, count: int, limit: int | None) -> dict[str, Callable[[], Any]]:
    """The weights alone."""
    tensors = {f"n{i}.kernel": np.ones(16, np.float32) for i in range(count)}

    def save() -> None:
        save_flat(folder, tensors, metadata={}, max_shard_size=limit)

    return {
        "save_flat": save,
        "read_headers": lambda: read_headers(folder),
        "load_flat": lambda: load_flat(read_headers(folder)),
        "verify": lambda: verify(read_headers(folder)),
    }


def whole(folder: Path, count: int, limit: int | None) -> dict[str, Callable[[], Any]]:
    """A model; its Graph is parsed anew each time."""
    graph, params = model(count)

    def load() -> None:
        _parsed.cache_clear()
        bx.load(folder)

    def validate() -> None:
        _parsed.cache_clear()
        assert bx.validate(folder, shapes=False).ok

    return {
        "bx.save": lambda: bx.save(folder, graph, params, max_shard_size=limit),
        "bx.load": load,
        "bx.validate": validate,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    sizes = [500, 1000, 2000, 4000, 8000]
    parser.add_argument("--sizes", type=int, nargs="+", default=sizes)
    parser.add_argument("--sync", action="store_true")
    arguments = parser.parse_args()
    if not arguments.sync:
        setattr(os, "fsync", lambda descriptor: None)  # noqa: B010
    print(f"{'milliseconds':24}" + "".join(f"{n:>16}" for n in arguments.sizes))
    for title, limit in (("leaves", None), ("shards", 64)):
        found: dict[str, list[float]] = {}
        for count in arguments.sizes:
            with tempfile.TemporaryDirectory() as temporary:
                for make in (flat, whole):
                    folder = Path(temporary) / make.__name__
                    for name, act in make(folder, count, limit).items():
                        best = min(timed(act) for _ in range(3))
                        found.setdefault(f"{name}, {title}", []).append(best)
        for name, row in found.items():
            factors = [
                "",
                *(f"{b / a:.1f}x" for a, b in pairwise(row)),
            ]
            cells = zip(row, factors, strict=True)
            print(f"{name:24}" + "".join(f"{t:10.1f}{f:>6}" for t, f in cells))


def timed(act: Callable[[], Any]) -> float:
    start = time.process_time()
    act()
    return (time.process_time() - start) * 1e3


if __name__ == "__main__":
    main()
