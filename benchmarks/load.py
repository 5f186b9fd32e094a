"""Loading weights: blox against `safetensors.safe_open(framework="flax")`.

    python benchmarks/load.py [model.safetensors]

Rewrites the file (by default one of MiniLM's size and shapes, made up) by `save_flat`,
loads it in turns by either way in one process, and prints medians of times and of the
ratios within a turn. Files are in the page cache and both ways are warm. Each peak of
memory is that of a process of its own, above the same process before it loads.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import numpy as np
from safetensors import safe_open

from blox.weights import load_flat, read_headers, save_flat
from blox.weights.dtypes import NEEDS_X64

Arrays = Mapping[str, jax.Array]
GOALS = {"load": 15.0, "load and read": 6.0, "memory": 1.15}


def blox(path: Path) -> Arrays:
    return load_flat(read_headers(path))


def blox_copy(path: Path) -> Arrays:
    return load_flat(read_headers(path), mmap=False)


def flax(path: Path) -> Arrays:
    with safe_open(path, framework="flax") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


WAYS: dict[str, Callable[[Path], Arrays]] = {
    "safe_open(flax)": flax,
    "blox": blox,
    "blox mmap=False": blox_copy,
}


def read_all(arrays: Arrays) -> float:
    """Touch every value once."""
    return sum(float(np.asarray(array).sum()) for array in arrays.values())


def minilm() -> dict[str, np.ndarray[Any, Any]]:
    """Random weights with the shapes of all-MiniLM-L6-v2: 22.7 million values."""
    width, hidden = 384, 1536
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word": (30522, width),
        "embeddings.position": (512, width),
        "embeddings.token_type": (2, width),
        "pooler.kernel": (width, width),
        "pooler.bias": (width,),
    }
    for layer in (
        "embeddings.ln",
        *(f"h.{i}.ln_{j}" for i in range(6) for j in (1, 2)),
    ):
        shapes |= {f"{layer}.scale": (width,), f"{layer}.bias": (width,)}
    for i in range(6):
        for name, inner, outer in (
            *((f"attn.{part}", width, width) for part in ("q", "k", "v", "out")),
            ("up", width, hidden),
            ("down", hidden, width),
        ):
            shapes[f"h.{i}.{name}.kernel"] = (inner, outer)
            shapes[f"h.{i}.{name}.bias"] = (outer,)
    draw = np.random.default_rng(0)
    return {
        name: draw.standard_normal(shape, np.float32) for name, shape in shapes.items()
    }


def rewritten(source: Path | None, folder: Path) -> Path:
    path = folder / "params.safetensors"
    if source is None:
        save_flat(path, minilm(), metadata={})
        return path
    headers = read_headers(source)
    names = [n for n, info in headers.tensors.items() if info.dtype not in NEEDS_X64]
    save_flat(path, load_flat(headers, names), metadata={})
    return path


def times(path: Path, rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Seconds of the load, and of load and first read, by way and round."""
    found: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    for turn in range(rounds + 1):
        for way, load in WAYS.items():
            gc.collect()
            start = time.perf_counter()
            arrays = jax.block_until_ready(load(path))
            loaded = time.perf_counter()
            read_all(arrays)
            read = time.perf_counter()
            del arrays
            if turn:  # the first is the warm-up
                found[way].append((loaded - start, read - start))
    return found


def peak_kib() -> int:
    """The most memory this process has held since the last reset."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


def measure_memory(way: str, path: Path) -> None:
    """In a process of its own: prints the bytes that loading and reading took."""
    tiny = path.with_name("tiny.safetensors")
    read_all(WAYS[way](tiny))  # imports, first use
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    before = peak_kib()
    arrays = jax.block_until_ready(WAYS[way](path))
    read_all(arrays)
    print(json.dumps((peak_kib() - before) * 1024))


def memory(way: str, path: Path) -> int:
    run = [sys.executable, __file__, "--memory", way, str(path)]
    result: int = json.loads(
        subprocess.run(run, check=True, capture_output=True).stdout
    )
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", nargs="?", type=Path)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--memory", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.memory:
        measure_memory(arguments.memory, arguments.path)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = rewritten(arguments.path, Path(folder))
        tiny = path.with_name("tiny.safetensors")
        save_flat(tiny, {"a": np.ones(64, np.float32)}, metadata={})
        headers = read_headers(path)
        size = headers.nbytes
        count = len(headers.tensors)
        print(f"{count} tensors, {size / 1e6:.1f} MB, JAX {jax.__version__}")
        found = times(path, arguments.rounds)
        titles = f"{'load':>10}{'+ read':>10}{'load x':>9}{'+ read x':>10}{'memory':>9}"
        print(" " * 18 + titles)
        theirs = found["safe_open(flax)"]
        for way, ours in found.items():
            load, read = (
                statistics.median(one) * 1e3 for one in zip(*ours, strict=True)
            )
            pairs = list(zip(theirs, ours, strict=True))
            faster = [statistics.median(a[i] / b[i] for a, b in pairs) for i in (0, 1)]
            share = (
                memory(way, path) / size
                if Path("/proc/self/clear_refs").exists()
                else 0
            )
            print(
                f"{way:18}{load:7.1f} ms{read:7.1f} ms"
                f"{faster[0]:8.1f}x{faster[1]:9.1f}x{share:8.2f}x"
            )
        goals = f"{GOALS['load']:.0f}x", f"{GOALS['load and read']:.0f}x"
        print(f"{'goal for blox':38}{goals[0]:>9}{goals[1]:>10}{GOALS['memory']:8.2f}x")


if __name__ == "__main__":
    main()
