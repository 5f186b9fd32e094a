"""Growth of the time of every step with the size of a model: linear is the goal.

    python benchmarks/growth.py [STEP ...] [--kinds KIND ...] [--sizes 500 1000 2000 4000]

A row is a step (parse, resolve, text, reorder, build, validate, init, generate, show,
save, load) over a kind of model (nodes, convs, calls, functions, inputs, operands,
outputs, copies, leaves, shards, and those of `growing.py` that concern the spec alone).
It has the seconds of this process at every size, and the exponent of the growth between
the two largest: 1 is linear, 2 is quadratic. What is below a millisecond has none. A row
ends where a size takes longer than --most seconds.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import jax

sys.path.insert(0, str(Path(__file__).parent))

import growing

import blox as bx
from blox.schema import SpecError, from_bytes, to_json
from blox.schema.write.reorder import reorder

NOISE, SHORT = 1e-3, 0.5


class Case:
    """A model of one kind and size, and what the steps need of it."""

    def __init__(self, kind: str, count: int, folder: Path) -> None:
        self.kind, self.folder = kind, folder
        self.data = KINDS[kind](count)
        self._graph: bx.Graph | None = None
        self._params: Any = None

    @property
    def graph(self) -> bx.Graph:
        """A Graph that is read and resolved."""
        if self._graph is None:
            self._graph = bx.Graph.parse(self.data)
            self._graph.program()
        return self._graph

    @property
    def params(self) -> Any:
        if self._params is None:
            self._params = bx.init(self.graph, jax.random.key(0))
        return self._params

    def parse(self) -> Callable[[], Any]:
        text = json.dumps(self.data).encode()
        return lambda: from_bytes(text)

    def resolve(self) -> Callable[[], Any]:
        graph = bx.Graph.parse(self.data)
        return lambda: graph.program()

    def text(self) -> Callable[[], Any]:
        graph = bx.Graph.parse(self.data)
        return lambda: to_json(graph)

    def reorder(self) -> Callable[[], Any]:
        graph = bx.Graph.parse(self.data)
        return lambda: reorder(graph)

    def build(self) -> Callable[[], Any]:
        graph = self.graph
        return lambda: bx.build(graph)

    def validate(self) -> Callable[[], Any]:
        graph = self.graph
        return lambda: bx.validate(graph)

    def init(self) -> Callable[[], Any]:
        graph, key = self.graph, jax.random.key(1)
        return lambda: bx.init(graph, key)

    def generate(self) -> Callable[[], Any]:
        graph = self.graph
        return lambda: bx.generate(graph)

    def show(self) -> Callable[[], Any]:
        graph = self.graph
        return lambda: str(bx.summary(graph))

    def save(self) -> Callable[[], Any]:
        size = {"max_shard_size": 32} if self.kind == "shards" else {}
        graph, params = self.graph, self.params
        return lambda: bx.save(self.folder, graph, params, **size)

    def load(self) -> Callable[[], Any]:
        self.save()()
        return lambda: bx.load(self.folder)


SCHEMA = ("parse", "resolve", "text", "reorder")
ARRAYS = ("init", "save", "load")
STEPS = (*SCHEMA, "build", "validate", "init", "generate", "show", "save", "load")
KINDS = {
    kind.__name__: kind
    for kind in (*growing.WHOLE, *growing.FILES, *growing.SPECS, *growing.FAULTY)
}


def rows(steps: list[str], kinds: list[str]) -> Iterator[tuple[str, str]]:
    """The steps over the kinds of models that they concern."""
    concerned: list[tuple[list[growing.Kind], tuple[str, ...]]] = [
        (growing.WHOLE, STEPS),
        (growing.FILES, ("save", "load")),
        (growing.SPECS, SCHEMA),
        (growing.FAULTY, ("parse", "resolve")),
    ]
    without = {"inputs", "operands", "outputs"}  # arrays
    for step in steps:
        for group, of_group in concerned:
            for kind in [k.__name__ for k in group]:
                wanted = kind in kinds and step in of_group
                if wanted and not (step in ARRAYS and kind in without):
                    yield step, kind


def seconds(step: str, kind: str, count: int) -> float:
    """The best of three, each with a model of its own, where that takes no long."""
    best = math.inf
    for _ in range(3):
        # A Graph that is at fault is followed as far as it gets.
        with tempfile.TemporaryDirectory() as folder, suppress(SpecError):
            work = getattr(Case(kind, count, Path(folder)), step)()
            gc.collect()
            gc.freeze()  # what was there before is not looked through
            start = time.process_time()
            try:
                work()
            finally:
                gc.unfreeze()
                best = min(best, time.process_time() - start)
        if best > SHORT:
            break
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("steps", nargs="*", metavar="STEP", default=list(STEPS))
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=KINDS)
    parser.add_argument("--sizes", type=int, nargs="+", default=[500, 1000, 2000, 4000])
    parser.add_argument("--most", type=float, default=20, help="seconds of one size")
    options = parser.parse_args()
    sizes = sorted(options.sizes)
    for step in options.steps:
        seconds(step, "nodes", 8)  # imports, caches
    print(f"{'seconds':28}" + "".join(f"{n:>9}" for n in sizes) + "   exponent")
    for step, kind in rows(options.steps, options.kinds):
        print(f"{step:9} {kind:18}", end="", flush=True)
        took: dict[int, float] = {}
        for size in sizes:
            if (
                size > growing.MOST.get(kind, size)
                or max(took.values(), default=0) > options.most
            ):
                print(f"{'-':>9}", end="")
                continue
            took[size] = seconds(step, kind, size)
            print(f"{took[size]:9.3f}", end="", flush=True)
        measured = [(n, t) for n, t in took.items() if t > NOISE][-2:]
        if len(measured) == 2:
            (n, t), (m, u) = measured
            print(f"{math.log(u / t) / math.log(m / n):11.2f}", end="")
        print()


if __name__ == "__main__":
    main()
