"""Structural validation of a large spec, as a whole process, against Pydantic's import.

    python benchmarks/validate.py [--nodes 1000] [--rounds 15]

The spec has 1,000 nodes of 30 kinds of op. The processes run in turns; the ratio is
that of the medians. `one model` is the least that any use of Pydantic costs. The goal
of the command line (`blox validate --structure`) is 3.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

BASE = "from pydantic import BaseModel"
FLOOR = """
from pydantic import BaseModel
class Model(BaseModel):
    x: int
Model(x=1)
"""
OURS = """
import sys
from blox.schema import from_bytes
with open(sys.argv[1], "rb") as file:
    from_bytes(file.read()).program()
"""
# What the installed command `blox` runs.
COMMAND = "from blox.cli import main; main()"
LAST = {"op": "linear", "in_features": "$width", "out_features": "$width"}
SIMPLE = (
    "relu",
    "silu",
    "mish",
    "tanh",
    "sigmoid",
    "softplus",
    "exp",
    "log",
    "sqrt",
    "square",
    "sin",
    "cos",
    "abs",
    "negative",
    "stop_gradient",
)
KINDS: list[dict[str, Any]] = [
    LAST,
    {"op": "layer_norm", "features": "$width", "eps": 1e-5},
    {"op": "rms_norm", "features": "$width"},
    {"op": "dropout", "rate": 0.1},
    {"op": "softmax", "axis": -1},
    {"op": "gelu", "approximate": False},
    {"op": "elu", "alpha": 0.5},
    {"op": "leaky_relu"},
    {"op": "reshape", "shape": ["$batch", "$width"]},
    {"op": "clip", "min": -1, "max": 1},
    {"op": "index", "at": "..., :$width"},
    {"op": "roll", "shift": 1, "axis": -1},
    {"op": "flip", "axis": -1},
    {"op": "cumsum", "axis": -1},
    {"op": "astype", "dtype": "float"},
    *({"op": name} for name in SIMPLE),
]


def graph(nodes: int) -> dict[str, Any]:
    """A chain of nodes, each kind in turn."""
    made = {}
    x = "x"
    for i in range(nodes):
        made[f"n{i}"] = {"x": x, **KINDS[i % len(KINDS)]}
        x = f"n{i}"
    shape = {"shape": ["batch", "$width"], "dtype": "float"}
    main = {"inputs": {"x": shape}, "nodes": made, "outputs": {"y": x}}
    return {
        "format": "blox/1",
        "name": "chain",
        "attributes": {"width": 64},
        "functions": {"main": main},
    }


def seconds(cache: Path, code: str, *arguments: str) -> float:
    """One whole process, with byte code cached as in an installation."""
    known = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", code, *arguments],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**known, "PYTHONPYCACHEPREFIX": str(cache)},
    )
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "graph.json"
        file.write_text(json.dumps(graph(given.nodes)))
        codes = {
            "pydantic": (BASE,),
            "one model": (FLOOR,),
            "import": ("import blox.schema",),
            "validate": (OURS, str(file)),
            "command": (COMMAND, "validate", "--structure", str(file)),
        }
        times: dict[str, list[float]] = {name: [] for name in codes}
        for code in codes.values():
            seconds(Path(folder), *code)  # writes what Python caches
        for _ in range(given.rounds):
            for name, code in codes.items():
                times[name].append(seconds(Path(folder), *code))
    base = statistics.median(times["pydantic"])
    for name, found in times.items():
        median = statistics.median(found)
        print(f"{name:10} {median * 1000:7.1f} ms  {median / base:5.2f} x pydantic")
    print(f"{given.nodes} nodes of {len(KINDS)} kinds, {given.rounds} rounds")


if __name__ == "__main__":
    main()
