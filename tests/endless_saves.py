"""Run by `test_beside_saves.py`: saves models over each other until standard input ends.

Each save has a number, which is in its Graph and in every value of its weights. Without
JAX, so that it starts at once.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
from sample_specs import spec

import blox as bx
from blox.schema import Graph

LIMITS = (None, 2_000, 300)
"""One file, a few shards, more shards than a reader keeps open."""


def model(number: int) -> tuple[Graph, dict[str, Any]]:
    depth = 3 + number % 5
    nodes = {
        f"n{i}": {"op": "param", "shape": [64], "dtype": "float32"}
        for i in range(20 * depth)
    }
    data = spec(nodes, {name: name for name in nodes}, inputs={})
    data["metadata"] = {"extra": {"number": number}}
    values = np.full(64, number, "float32")
    return Graph.parse(data), dict.fromkeys(nodes, values)


def main(folder: Path, first: int) -> None:
    stop = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        stop.set()

    threading.Thread(target=wait, daemon=True).start()
    number = first
    while not stop.is_set():
        graph, params = model(number)
        bx.save(folder, graph, params, max_shard_size=LIMITS[number % 3])
        if number == first:
            print("ready", flush=True)
        number += 2
    print(number, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
