"""Loading a model: `bx.load` against `safetensors.safe_open(framework="flax")`.

    python benchmarks/load.py [folder of a checkpoint of transformers]

Writes a model by `bx.save` (by default MiniLM's Graph with made-up weights), loads it in
turns by either way in one process, and prints medians of times and of the ratios within a
turn. Files are in the page cache and both ways are warm; "spec read again" forgets the
Graph that earlier loads parsed. Each peak of memory is that of a process of its own, above
the same process before it loads. Last, the first load of a process that has imported
JAX and made one array, all other imports included, in turns of processes of their own:
the time of the process too, which other work on the machine disturbs less.
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
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import numpy as np
from safetensors import safe_open

import blox as bx
from blox.io.spec import _parsed
from blox.schema import Graph, from_bytes

GOALS = {"load": 15.0, "load and read": 6.0, "memory": 1.15, "first": 1.4}
FIRST = """
import sys, time
import jax, jax.numpy as jnp
jnp.zeros(3).block_until_ready()
start, used = time.perf_counter(), time.process_time()
{load}
jax.block_until_ready(arrays)
print(time.perf_counter() - start, time.process_time() - used)
"""
FIRST_BY = {
    "safe_open(flax)": """
from safetensors import safe_open
with safe_open(sys.argv[1] + "/params.safetensors", framework="flax") as file:
    arrays = {name: file.get_tensor(name) for name in file.keys()}
""",
    "bx.load": """
import blox
arrays = blox.load(sys.argv[1])[1]
""",
}


def load(folder: Path) -> Any:
    return bx.load(folder)[1]


def load_again(folder: Path) -> Any:
    _parsed.cache_clear()
    return bx.load(folder)[1]


def load_copy(folder: Path) -> Any:
    return bx.load(folder, mmap=False)[1]


def flax(folder: Path) -> Any:
    with safe_open(folder / "params.safetensors", framework="flax") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


WAYS: dict[str, Callable[[Path], Any]] = {
    "safe_open(flax)": flax,
    "bx.load": load,
    "spec read again": load_again,
    "mmap=False": load_copy,
}


def read_all(arrays: Any) -> float:
    """Touch every value once."""
    return sum(float(np.asarray(array).sum()) for array in jax.tree.leaves(arrays))


def made_up(graph: Graph) -> Any:
    """Random arrays for a Graph, without the time that init takes to compile."""
    draw = np.random.default_rng(0)
    shapes = jax.eval_shape(lambda: bx.init(graph, jax.random.key(0)))
    return jax.tree.map(lambda a: draw.standard_normal(a.shape, np.float32), shapes)


def written(source: Path | None, folder: Path) -> None:
    """The model to load, in `folder/model`, and one of a single array beside it."""
    if source is None:
        spec = ROOT / "tests" / "models" / "minilm.json"
        graph = from_bytes(spec.read_bytes())
        bx.save(folder / "model", graph, made_up(graph))
    else:
        bx.save(folder / "model", *bx.from_hf(source))
    b = bx.GraphBuilder("tiny")

    @b.entry(x=bx.Input(["batch", 4], "float"))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return f.rms_norm("norm", x)

    tiny = b.graph()
    bx.save(folder / "tiny", tiny, made_up(tiny))


def times(folder: Path, rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Seconds of the load, and of load and first read, by way and round."""
    found: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    for turn in range(rounds + 1):
        for way, function in WAYS.items():
            gc.collect()
            start = time.perf_counter()
            arrays = jax.block_until_ready(function(folder))
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


def measure_memory(way: str, folder: Path) -> None:
    """In a process of its own: prints the bytes that loading and reading took."""
    read_all(WAYS[way](folder.with_name("tiny")))  # imports, first use
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    before = peak_kib()
    arrays = jax.block_until_ready(WAYS[way](folder))
    read_all(arrays)
    print(json.dumps((peak_kib() - before) * 1024))


def memory(way: str, folder: Path) -> int:
    run = [sys.executable, __file__, "--memory", way, str(folder)]
    result: int = json.loads(
        subprocess.run(run, check=True, capture_output=True).stdout
    )
    return result


def first(way: str, folder: Path) -> tuple[float, float]:
    """Milliseconds, on the clock and of the process."""
    code = FIRST.replace("{load}", FIRST_BY[way])
    # As pip installs packages: with their bytecode, which the warm-up writes here.
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    run = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        env={**env, "PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
        text=True,
    )
    clock, used = (float(part) * 1e3 for part in run.stdout.split())
    return clock, used


def print_first(folder: Path, rounds: int) -> None:
    found: dict[str, list[tuple[float, float]]] = {way: [] for way in FIRST_BY}
    for turn in range(rounds + 1):
        for way, rows in found.items():
            row = first(way, folder)
            if turn:  # the first writes the bytecode
                rows.append(row)
    print(
        f"{'first load':18}{'clock':>10}{'process':>10}{'clock x':>9}{'process x':>10}"
    )
    theirs = found["safe_open(flax)"]
    for way, ours in found.items():
        clock, used = (statistics.median(one) for one in zip(*ours, strict=True))
        pairs = list(zip(theirs, ours, strict=True))
        faster = [statistics.median(a[i] / b[i] for a, b in pairs) for i in (0, 1)]
        print(
            f"{way:18}{clock:7.0f} ms{used:7.0f} ms{faster[0]:8.2f}x{faster[1]:9.2f}x"
        )
    print(f"{'goal for blox':38}{GOALS['first']:8.1f}x{GOALS['first']:9.1f}x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", nargs="?", type=Path)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--memory", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.memory:
        measure_memory(arguments.memory, arguments.path)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "model"
        written(arguments.path, folder.parent)
        leaves = jax.tree.leaves(bx.load(folder)[1])
        size = sum(leaf.nbytes for leaf in leaves)
        print(f"{len(leaves)} tensors, {size / 1e6:.1f} MB, JAX {jax.__version__}")
        found = times(folder, arguments.rounds)
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
                memory(way, folder) / size
                if Path("/proc/self/clear_refs").exists()
                else 0
            )
            print(
                f"{way:18}{load:7.1f} ms{read:7.1f} ms"
                f"{faster[0]:8.1f}x{faster[1]:9.1f}x{share:8.2f}x"
            )
        goals = f"{GOALS['load']:.0f}x", f"{GOALS['load and read']:.0f}x"
        print(f"{'goal for blox':38}{goals[0]:>9}{goals[1]:>10}{GOALS['memory']:8.2f}x")
        print_first(folder, arguments.rounds)


if __name__ == "__main__":
    main()
