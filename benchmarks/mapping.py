"""Mapping a checkpoint: memory and time of `bx.map_params`.

    python benchmarks/mapping.py [--megabytes 500]

Writes a checkpoint as PyTorch would lay it out (kernels turned, a module for each layer,
query, key and value in one array), then maps it in a process of its own. Memory is the
peak of its resident pages by /proc, less those that it had before, less the bytes of Params:
the goal is at most the largest tensor and 200 MB. Beside it, in the same kind of
process: reading all tensors by `safetensors.numpy.load_file`, and turning and stacking them
by hand.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import numpy as np
from safetensors.numpy import save_file

WIDTH, HIDDEN, VOCAB = 768, 3072, 30_000
COMMON = f"""
import os, sys, time
sys.path.insert(0, {str(ROOT)!r})
import jax, numpy as np
jax.numpy.ones(3).block_until_ready()
import blox as bx
from blox.weights import StoredTensors, read_headers
from pathlib import Path

def resident(key):
    lines = open("/proc/self/status").read().splitlines()
    return next(int(l.split()[1]) for l in lines if l.startswith(key)) * 1024

path, depth = Path(sys.argv[1]), int(sys.argv[2])
def layer(f, x):
    q, k, v = (f.linear(n, x, x.features) for n in "qkv")
    x = x + f.linear("out", q * k + v, x.features)
    return x + f.linear("down", f.gelu(f.linear("up", x, {HIDDEN})), x.features)
b = bx.GraphBuilder("m", depth=depth)
@b.entry(x=bx.Input(["batch"], "int32"))
def main(f, x):
    return f.repeat("layers", layer, count=b.depth)(f.embed("word", x, {VOCAB}, {WIDTH}))
graph = b.graph()
graph.program()
open("/proc/self/clear_refs", "w").write("5")  # the peak begins anew
before = resident("VmRSS")
begin = time.perf_counter()
"""
ENDING = """
seconds = time.perf_counter() - begin
size = sum(a.nbytes for a in jax.tree.leaves(params))
for array in jax.tree.leaves(params):  # so that mapped pages are resident as well
    np.asarray(array).view(np.uint8).max()
print(seconds, (resident("VmHWM") - before - size) / 1e6, size / 1e6)
"""
WAYS = {
    "bx.map_params": """
rules = [
    bx.Rule(tuple(f"layers.{{i}}.{n}.kernel" for n in "qkv"), "h.{i}.qkv.weight",
            bx.layouts.Split(3), bx.layouts.Kernel()),
    bx.Rule(tuple(f"layers.{{i}}.{n}.bias" for n in "qkv"), "h.{i}.qkv.bias",
            bx.layouts.Split(3)),
    *bx.layer_rules(graph, {"layers.{i}.out": "h.{i}.out", "layers.{i}.up": "h.{i}.up",
                            "layers.{i}.down": "h.{i}.down", "word": "word"}),
]
params = bx.map_params(graph, StoredTensors(read_headers(path)), rules)
""",
    "by hand, all read at once": """
from safetensors.numpy import load_file
found = load_file(path)
def stacked(name, part=slice(None)):
    arrays = [found[f"h.{i}.{name}"][part] for i in range(depth)]
    return jax.numpy.asarray(np.stack([a.T for a in arrays]))
w = """ + str(WIDTH) + """
params = {"word": jax.numpy.asarray(found["word.weight"])}
for k in range(3):
    params[f"{k}"] = stacked("qkv.weight", slice(k * w, k * w + w))
    params[f"b{k}"] = stacked("qkv.bias", slice(k * w, k * w + w))
for name in ("out", "up", "down"):
    params |= {name: stacked(name + ".weight"), "b" + name: stacked(name + ".bias")}
jax.block_until_ready(params)
""",
    "load_file alone": """
from safetensors.numpy import load_file
params = load_file(path)
""",
}  # fmt: skip


def write(path: Path, depth: int) -> int:
    """Writes the checkpoint; the bytes of its largest tensor."""
    rng = np.random.default_rng(0)
    shapes = {"word.weight": (VOCAB, WIDTH)}
    for i in range(depth):
        for name, shape in {
            "qkv": (3 * WIDTH, WIDTH),
            "out": (WIDTH, WIDTH),
            "up": (HIDDEN, WIDTH),
            "down": (WIDTH, HIDDEN),
        }.items():
            shapes[f"h.{i}.{name}.weight"] = shape
            shapes[f"h.{i}.{name}.bias"] = shape[:1]
    arrays = {name: rng.random(shape, np.float32) for name, shape in shapes.items()}
    save_file(arrays, path)
    return max(array.nbytes for array in arrays.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=500)
    parser.add_argument("--turns", type=int, default=3)
    given = parser.parse_args()
    depth = max(1, (given.megabytes * 10**6 - 4 * VOCAB * WIDTH) // 28_400_000)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        largest = write(path, depth)
        print(
            f"{path.stat().st_size / 1e6:.0f} MB, largest tensor {largest / 1e6:.0f} MB"
        )
        for way, code in WAYS.items():
            rows = [run(code, path, depth) for _ in range(given.turns)]
            seconds, extra = (min(row[k] for row in rows) for k in (0, 1))
            print(f"{way:26} {seconds:6.2f} s   {extra:6.0f} MB beside the result")
            if way == "bx.map_params" and extra > largest / 1e6 + 200:
                sys.exit(
                    f"expected at most {largest / 1e6 + 200:.0f} MB beside the result"
                )


def run(code: str, path: Path, depth: int) -> list[float]:
    command = [sys.executable, "-c", COMMON + code + ENDING, str(path), str(depth)]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [float(number) for number in out.split()]


if __name__ == "__main__":
    main()
