"""The time that `bx.generate` takes, by the size of a spec: growth should be linear.

    python benchmarks/growth_codegen.py [KIND ...] [--sizes 500 1000 2000 4000 8000]

A line per kind of growth, with milliseconds per item at each size. The specs are read
and resolved before the clock starts; what is measured is the generator alone.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import blox as bx

Data = dict[str, Any]
X = {"x": {"shape": ["batch", 8], "dtype": "float"}}
LINEAR = {"op": "linear", "in_features": 8, "out_features": 8}


def spec(nodes: Data, outputs: Data, inputs: Data = X, **functions: Any) -> Data:
    main = {"inputs": inputs, "nodes": nodes, "outputs": outputs}
    return {"format": "blox/1", "name": "m", "functions": {"main": main, **functions}}


def chain(count: int, node: Callable[[int, str], Data]) -> tuple[Data, Data]:
    nodes, last = {}, "x"
    for i in range(count):
        nodes[f"n{i}"] = node(i, last)
        last = f"n{i}"
    return nodes, {"y": last}


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


def inner(i: int = 0) -> Data:
    body = {"l": {**LINEAR, "x": "x"}, "r": {"op": "relu", "x": "l"}}
    return {"inputs": {"x": {}}, "nodes": body, "outputs": {"x": "r"}}


def calls(count: int) -> Data:
    """Calls of one function, parameters of their own."""

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
    made = {f"a{i}": {"op": "relu", "x": "x"} for i in range(count)}
    joined = {"op": "concatenate", "xs": [*made], "axis": -1}
    return spec({**made, "joined": joined}, {"y": "joined"})


def outputs(count: int) -> Data:
    """Outputs of an entry, each the result of a node."""
    made = {f"a{i}": {"op": "relu", "x": "x"} for i in range(count)}
    return spec(made, {f"y{i}": f"a{i}" for i in range(count)})


def copies(count: int) -> Data:
    """Copies of an unrolled repeat."""
    h = {"op": "repeat", "function": "f", "count": count, "carry": {"x": "x"}}
    return spec({"h": {**h, "scan": False}}, {"y": "h"}, f=inner())


KINDS = (nodes, calls, functions, inputs, operands, outputs, copies)


def seconds(data: Data) -> tuple[float, int]:
    graph = bx.Graph.parse(data)
    graph.program()
    start = time.process_time()
    source = bx.generate(graph)
    return time.process_time() - start, source.count("\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", metavar="KIND")
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[500, 1000, 2000, 4000, 8000]
    )
    options = parser.parse_args()
    seconds(nodes(8))  # imports, caches
    print(f"{'ms an item':12}" + "".join(f"{size:>9}" for size in options.sizes))
    for kind in KINDS:
        if options.kinds and kind.__name__ not in options.kinds:
            continue
        print(f"{kind.__name__:12}", end="", flush=True)
        for size in options.sizes:
            took, lines = seconds(kind(size))
            print(f"{1000 * took / size:9.3f}", end="", flush=True)
        print(f"   {lines} lines")


if __name__ == "__main__":
    main()
