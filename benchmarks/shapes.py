"""Checks of meaning and of shapes in one process, against `jax.eval_shape`.

    python benchmarks/shapes.py [--nodes 10000] [--rounds 5]

Prints, as medians: the structure check of a chain of nodes, the same with shapes, and for
each model under tests/models the check of shapes beside one `jax.eval_shape` of the loaded
model for every lane (entries, optional inputs, training, symbolic sizes and one sample).
The goals are 0.35 s and 0.7 s for 10,000 nodes, and twice `jax.eval_shape` for MiniLM.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
from validate import graph as chain

import blox as bx
from blox.schema import Graph, Report
from blox.shapes.binding import input_dtype
from blox.shapes.check import Checker, tracing
from blox.shapes.declared import Declared, bounds_of, relations_of
from blox.shapes.samples import Samples

MODELS = Path(__file__).parents[1] / "tests" / "models"


def median(run: Callable[[], Any], rounds: int) -> float:
    """Seconds, without what JAX remembers of the round before."""
    found = []
    for _ in range(rounds):
        jax.clear_caches()
        start = time.perf_counter()
        run()
        found.append(time.perf_counter() - start)
    return statistics.median(found)


def check(graph: Graph) -> Checker:
    program = graph.program()
    with tracing(program):
        checker = Checker(program, Report())
        checker.check()
    return checker


def lanes(graph: Graph) -> int:
    """How often one would trace the model to see as much."""
    count = 0
    for instance in graph.program().entries.values():
        declared = Declared(instance.function.inputs, instance.values)
        modes = 2 if instance.uses_train else 1
        count += 2 * modes * len(declared.variants())
    return count


def traced(graph: Graph) -> Callable[[], Any]:
    """One `jax.eval_shape` of the first entry at small sizes."""
    params = jax.eval_shape(lambda: bx.init(graph, jax.random.key(0)))
    entry = graph.program().entries[graph.entries[0]]
    declared = Declared(entry.function.inputs, entry.values)
    names = list(declared.inputs)
    samples = Samples(declared, names, bounds_of(graph), relations_of(graph))
    sizes = next(iter(samples))
    inputs = {}
    for name, given in declared.inputs.items():
        shape = sizes.shape(name, given.shape or (), entry.values)
        dtype = input_dtype(given.dtype, "float32")
        inputs[name] = jax.ShapeDtypeStruct(shape, dtype)
    return lambda: jax.eval_shape(bx.build(graph), params, **inputs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    data = chain(given.nodes)
    parsed = [Graph.parse(data) for _ in range(given.rounds)]
    todo = iter(parsed)
    structure = median(lambda: next(todo).program(), given.rounds)
    shapes = median(lambda: check(parsed[0]), given.rounds)
    print(
        f"{given.nodes} nodes: structure {structure:.3f} s, shapes {shapes:.3f} s more"
    )
    for file in sorted(MODELS.glob("*.json")):
        graph = Graph.parse(json.loads(file.read_text()))
        found = check(graph)
        ours = median(lambda graph=graph: check(graph), given.rounds)  # type: ignore[misc]
        base = median(traced(graph), given.rounds)
        traces = found.engine.ops.inference.traced
        ratio = ours / base / lanes(graph)
        print(
            f"{file.stem:18} {ours * 1000:6.0f} ms, {traces} traces; "
            f"eval_shape {base * 1000:5.0f} ms; {ratio:.2f} times that for each of "
            f"{lanes(graph)} lanes"
        )


if __name__ == "__main__":
    main()
