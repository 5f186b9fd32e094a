"""Run by `test_atomic.py`: saves over an older model, killed at random moments.

A process of its own, without JAX, because it forks. Prints a JSON report of what the
folder held after each kill.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from blox.weights import Headers, locate, read_headers, read_small, save_flat
from blox.weights.log import read_log

Array = np.ndarray[Any, Any]


class Model(NamedTuple):
    limit: int | None
    names: int
    scale: float


MODELS = {
    # Different files, values and shapes, so that no mixture looks like either.
    "old": Model(limit=40_000, names=9, scale=1.0),
    "new": Model(limit=60_000, names=7, scale=-3.0),
    "single": Model(limit=None, names=5, scale=7.0),
}


def tensors(model: str) -> dict[str, Array]:
    made = MODELS[model]
    size = 4000 + made.names
    return {
        f"h.{i}.kernel": made.scale * np.arange(i, i + size, dtype=np.float32)
        for i in range(made.names)
    }


def save(folder: Path, model: str) -> None:
    save_flat(
        folder,
        tensors(model),
        metadata={"model": model},
        max_shard_size=MODELS[model].limit,
        extra_files={"graph.json": model.encode()},
        remove=["examples.safetensors"],
    )


def values(headers: Headers) -> dict[str, Array]:
    found = {}
    for info in headers.tensors.values():
        data = info.file.read_bytes()[info.start : info.stop]
        found[info.name] = np.frombuffer(data, info.dtype).reshape(info.shape)
    return found


def held(folder: Path) -> str:
    """Which model the folder holds, completely; fails on a mixture."""
    headers = read_headers(folder)
    graph = locate(folder, "graph.json")
    assert graph is not None
    model = read_small(graph).decode()
    assert headers.metadata == {"model": model}
    expected, found = tensors(model), values(headers)
    assert expected.keys() == found.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)
    return model


def run_killed(folder: Path, model: str, delay: float) -> bool:
    """Save in a child that is killed after `delay` seconds; True if it was killed."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            save(folder, model)
            code = 0
        finally:
            os._exit(code)
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def main(folder: Path, kills: int) -> None:
    draw = random.Random(0)
    save(folder, "old")
    before = "old"
    report = {"killed": 0, "old": 0, "new": 0, "unfinished": 0}
    # About when a child commits: found while running, so that it suits any machine.
    commit = 0.01
    while report["killed"] < kills:
        model = draw.choice([name for name in MODELS if name != before])
        near = draw.random() < 0.5
        delay = commit * (draw.uniform(0.8, 1.2) if near else draw.uniform(0, 1.5))
        killed = run_killed(folder, model, delay)
        unfinished = read_log(folder) is not None
        after = held(folder)
        assert after in (before, model), (before, model, after)
        assert (folder / "notes.txt").read_text() == "mine"
        if near:
            commit *= 1.1 if after == before else 0.9
        if killed:
            report["killed"] += 1
            report["unfinished"] += unfinished
            report["old" if after == before else "new"] += 1
        else:
            assert after == model
        before = after
    save(folder, "old")
    print(json.dumps(report | {"left": sorted(os.listdir(folder))}))


if __name__ == "__main__":
    # A killed process loses nothing that the system has; syncing takes most of the time.
    setattr(os, "fsync", lambda descriptor: None)  # noqa: B010
    main(Path(sys.argv[1]), int(sys.argv[2]))
