"""Growth of the time of every step with the size of a model: linear is the goal.

    python benchmarks/growth.py [STEP ...] [--kinds KIND ...] [--sizes 500 1000 2000 4000]

A row is a step (read, build, validate, init, generate, show, save, load) over a kind of
model (many nodes, calls, functions, inputs, operands, outputs, copies, leaves, shards).
It has the seconds of this process at every size, and the exponent of the growth between
the two largest: 1 is linear, 2 is quadratic. What is below a millisecond has none. A row
ends where a size takes longer than --most seconds.
"""

from __future__ import annotations

import argparse
import gc
import math
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax

import blox as bx

Data = dict[str, Any]
X = {"x": {"shape": ["batch", 8], "dtype": "float"}}
LINEAR = {"op": "linear", "in_features": 8, "out_features": 8}
NOISE, SHORT = 1e-3, 0.5


def spec(nodes: Data, outputs: Data, inputs: Data = X, **functions: Any) -> Data:
    main = {"inputs": inputs, "nodes": nodes, "outputs": outputs}
    return {"format": "blox/1", "name": "m", "functions": {"main": main, **functions}}


def chain(count: int, node: Callable[[int, str], Data]) -> tuple[Data, Data]:
    made, last = {}, "x"
    for i in range(count):
        made[f"n{i}"] = node(i, last)
        last = f"n{i}"
    return made, {"y": last}


def inner() -> Data:
    body = {"l": {**LINEAR, "x": "x"}, "r": {"op": "relu", "x": "l"}}
    return {"inputs": {"x": {}}, "nodes": body, "outputs": {"x": "r"}}


# --- Kinds of models ------------------------------------------------------------


def nodes(count: int) -> Data:
    """A flat chain of layers and elementwise ops."""
    kinds: list[Data] = [
        LINEAR,
        {"op": "relu"},
        {"op": "layer_norm", "features": 8, "eps": 1e-5},
        {"op": "multiply", "b": 0.5},
    ]

    def node(i: int, last: str) -> Data:
        kind = kinds[i % 4]
        return {**kind, "a" if kind["op"] == "multiply" else "x": last}

    return spec(*chain(count, node))


def calls(count: int) -> Data:
    """Calls of one function, each with parameters of its own."""

    def node(i: int, last: str) -> Data:
        return {"op": "call", "function": "f", "inputs": [last]}

    return spec(*chain(count, node), f=inner())


def functions(count: int) -> Data:
    """Functions, each called once."""

    def node(i: int, last: str) -> Data:
        return {"op": "call", "function": f"f{i}", "inputs": [last]}

    return spec(*chain(count, node), **{f"f{i}": inner() for i in range(count)})


def inputs(count: int) -> Data:
    """Inputs of an entry, all of them operands of one node."""
    given = {f"x{i}": X["x"] for i in range(count)}
    joined = {"op": "concatenate", "xs": [*given], "axis": -1}
    return spec({"joined": joined}, {"y": "joined"}, given)


def operands(count: int) -> Data:
    """Operands of one node, each the result of another."""
    made: Data = {f"a{i}": {"op": "relu", "x": "x"} for i in range(count)}
    joined = {"op": "concatenate", "xs": [*made], "axis": -1}
    return spec({**made, "joined": joined}, {"y": "joined"})


def outputs(count: int) -> Data:
    """Outputs of an entry, each the result of a node."""
    made: Data = {f"a{i}": {"op": "relu", "x": "x"} for i in range(count)}
    return spec(made, {f"y{i}": f"a{i}" for i in range(count)})


def copies(count: int) -> Data:
    """Copies of an unrolled repeat."""
    h = {"op": "repeat", "function": "f", "count": count, "carry": {"x": "x"}}
    return spec({"h": {**h, "scan": False}}, {"y": "h"}, f=inner())


def leaves(count: int) -> Data:
    """Arrays, one a node."""
    made: Data = {f"p{i}": {"op": "param", "shape": [8]} for i in range(count)}
    joined = {"op": "concatenate", "xs": [*made], "axis": -1}
    return spec({**made, "joined": joined}, {"y": "joined"})


def shards(count: int) -> Data:
    """Arrays, each in a file of its own."""
    return leaves(count)


KINDS = {
    kind.__name__: kind
    for kind in (nodes, calls, functions, inputs, operands, outputs, copies, leaves,
                 shards)
}  # fmt: skip
MOST = {"functions": 1_900, "calls": 6_000}
"""Where the format's own limits end."""


# --- Steps ----------------------------------------------------------------------


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

    def read(self) -> Callable[[], Any]:
        return lambda: bx.Graph.parse(self.data).program()

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


STEPS = ("read", "build", "validate", "init", "generate", "show", "save", "load")
WITH_ARRAYS = {"init", "save", "load"}
ARRAYS = {"nodes", "calls", "functions", "copies", "leaves", "shards"}
ONLY_FILES = {"shards": {"save", "load"}}


def seconds(step: str, kind: str, count: int) -> float:
    """The best of three, each with a model of its own, where that takes no long."""
    best = math.inf
    for _ in range(3):
        with tempfile.TemporaryDirectory() as folder:
            work = getattr(Case(kind, count, Path(folder)), step)()
            gc.collect()  # what others left is not looked through
            start = time.process_time()
            work()
            best = min(best, time.process_time() - start)
        if best > SHORT:
            break
    return best


def rows(steps: list[str], kinds: list[str]) -> Iterator[tuple[str, str]]:
    for step in steps:
        for kind in kinds:
            files_only = step not in ONLY_FILES.get(kind, STEPS)
            if not files_only and (step not in WITH_ARRAYS or kind in ARRAYS):
                yield step, kind


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("steps", nargs="*", metavar="STEP", default=list(STEPS))
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--sizes", type=int, nargs="+", default=[500, 1000, 2000, 4000])
    parser.add_argument("--most", type=float, default=20, help="seconds of one size")
    options = parser.parse_args()
    sizes = sorted(options.sizes)
    for step in options.steps:
        seconds(step, "nodes", 8)  # imports, caches
    print(f"{'seconds':20}" + "".join(f"{n:>9}" for n in sizes) + "   exponent")
    for step, kind in rows(options.steps, options.kinds):
        print(f"{step:9} {kind:10}", end="", flush=True)
        took: dict[int, float] = {}
        for size in sizes:
            if (
                size > MOST.get(kind, size)
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
