"""Run by `test_atomic.py`: `blox.save` over an older model, killed at random moments.

A process of its own, without JAX, because it forks. Prints a JSON report.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from sample_specs import function, spec

import blox as bx
from blox.io.match import fit
from blox.io.model import read_model
from blox.schema import Graph

DEPTHS = {"old": 6, "new": 9}


def model(name: str) -> tuple[Graph, dict[str, Any]]:
    depth = DEPTHS[name]
    linear = {"op": "linear", "x": "x", "in_features": 32, "out_features": 32}
    repeat = {"op": "repeat", "function": "f", "count": depth, "carry": {"x": "x"}}
    functions = {"f": function({"up": linear}, {"x": "up"})}
    inputs = {"x": {"shape": ["batch", 32], "dtype": "float"}}
    graph = Graph.parse(spec({"h": repeat}, inputs=inputs, functions=functions))
    kernel = np.full((depth, 32, 32), depth, "float32")
    bias = np.full((depth, 32), depth, "float32")
    return graph, {"h": {"up": {"kernel": kernel, "bias": bias}}}


def save(folder: Path, name: str) -> None:
    # Different files too: the old one is sharded.
    limit = 5_000 if name == "old" else None
    bx.save(folder, *model(name), max_shard_size=limit)


def held(folder: Path) -> str:
    """Which model the folder holds, completely; fails on a mixture."""
    model = read_model(folder)
    headers = model.headers
    assert fit(headers, model.graph, x64=False).findings == []  # the digest among them
    for info in headers.tensors.values():
        data = np.frombuffer(info.file.read_bytes()[info.start : info.stop], "float32")
        assert (data == info.shape[0]).all()
    return {depth: name for name, depth in DEPTHS.items()}[
        headers.tensors["h.up.bias"].shape[0]
    ]


def main(folder: Path, kills: int) -> None:
    draw = random.Random(0)
    save(folder, "old")
    start = time.perf_counter()
    save(folder, "new")
    full = time.perf_counter() - start
    before = "new"
    report = {"killed": 0, "old": 0, "new": 0}
    while report["killed"] < kills:
        after = "old" if before == "new" else "new"
        child = os.fork()
        if child == 0:
            try:
                save(folder, after)
            finally:
                os._exit(0)
        time.sleep(full * draw.uniform(0, 1.6))
        os.kill(child, signal.SIGKILL)
        killed = os.WIFSIGNALED(os.waitpid(child, 0)[1])
        found = held(folder)
        if killed:
            report["killed"] += 1
            report["old" if found == before else "new"] += 1
        else:
            assert found == after
        before = found
    save(folder, "new")
    assert "jax" not in sys.modules
    print(json.dumps(report | {"left": sorted(os.listdir(folder))}))


if __name__ == "__main__":
    # A killed process loses nothing that the system has; syncing takes most of the time.
    setattr(os, "fsync", lambda descriptor: None)  # noqa: B010
    main(Path(sys.argv[1]), int(sys.argv[2]))
