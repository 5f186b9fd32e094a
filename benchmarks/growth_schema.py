"""Growth of what needs no JAX: parse, resolve, canonical text, reorder, over n parts.

    python benchmarks/growth_schema.py [--parts 500 8000] [--only calls]

For each kind of part a Graph of n of them: nodes, calls, functions, inputs, outputs,
leaves, attributes, constraints, and files that are at fault everywhere. Prints the CPU
seconds of each stage at every n and the exponent between the first and the last: 1 is
linear. The goal is at most 1.3 wherever a stage takes 50 ms.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from blox.schema import Graph, SpecError, from_bytes, to_json
from blox.schema.write.reorder import reorder

Data = dict[str, Any]
X: Data = {"shape": ["batch", 8], "dtype": "float"}
GOAL = 1.3


def spec(main: Data, functions: Data | None = None, **more: Any) -> Data:
    functions = {"main": main, **(functions or {})}
    return {"format": "blox/1", "name": "growth", **more, "functions": functions}


def chain(n: int, node: Callable[[int, str], Data]) -> Data:
    nodes, x = {}, "x"
    for i in range(n):
        nodes[f"n{i}"] = node(i, x)
        x = f"n{i}"
    return {"inputs": {"x": X}, "nodes": nodes, "outputs": {"y": x}}


def relu(i: int, x: str) -> Data:
    return {"op": "relu", "x": x}


ID: Data = {"inputs": {"x": {}}, "nodes": {"n": relu(0, "x")}, "outputs": {"y": "n"}}


def call(function: str, x: str, **more: Any) -> Data:
    return {"op": "call", "function": function, "inputs": {"x": x}, **more}


def nodes(n: int) -> Data:
    return spec(chain(n, relu))


def calls(n: int) -> Data:
    return spec(chain(n, lambda i, x: call("f", x)), {"f": ID})


def variants(n: int) -> Data:
    """Calls of one function with other values: at most 2,000 instances."""
    f = {
        "attributes": ["a"],
        "inputs": {"x": {}},
        "nodes": {"n": {"op": "elu", "x": "x", "alpha": "$a"}},
        "outputs": {"y": "n"},
    }
    many = min(n // 8, 1_900)
    made = chain(n, lambda i, x: call("f", x, attributes={"a": 1 + i % many}))
    return spec(made, {"f": f})


def functions(n: int) -> Data:
    n //= 5  # of which there are at most 2,000
    return spec(
        chain(n, lambda i, x: call(f"f{i}", x)), {f"f{i}": ID for i in range(n)}
    )


def wide(n: int) -> Data:
    """A call that gives n inputs, of which half are optional."""
    names = [f"i{k}" for k in range(n)]
    half = n // 2
    inner = {
        "inputs": {name: {"optional": k >= half} for k, name in enumerate(names)},
        "nodes": {"n": {"op": "concatenate", "xs": names[:half], "axis": 0}},
        "outputs": {"y": "n"},
    }
    main = {
        "inputs": dict.fromkeys(names[:half], X),
        "nodes": {
            "c": {
                "op": "call",
                "function": "f",
                "inputs": {name: name for name in names[:half]},
            }
        },
        "outputs": {"y": "c"},
    }
    return spec(main, {"f": inner})


def optional(n: int) -> Data:
    """Few inputs are given to each of n calls, of thousands that may be."""
    side = int(math.sqrt(n)) * 8
    inner = {
        "inputs": {"x": {}, **{f"o{k}": {"optional": True} for k in range(side)}},
        "nodes": {"n": relu(0, "x")},
        "outputs": {"y": "n"},
    }
    return spec(chain(side, lambda i, x: call("f", x)), {"f": inner})


def outputs(n: int) -> Data:
    main = chain(n, relu)
    return spec({**main, "outputs": {f"y{i}": f"n{i}" for i in range(n)}})


def parts(n: int) -> Data:
    """One node of n outputs, each of which is used."""
    names = [f"p{i}" for i in range(n)]
    split = {"op": "split", "x": "x", "names": names, "axis": 0}
    used = {f"n{i}": relu(i, f"s.{name}") for i, name in enumerate(names)}
    main = {
        "inputs": {"x": X},
        "nodes": {"s": split, **used},
        "outputs": {f"y{i}": f"n{i}" for i in range(n)},
    }
    return spec(main)


def leaves(n: int) -> Data:
    def linear(i: int, x: str) -> Data:
        return {"op": "linear", "x": x, "in_features": 8, "out_features": 8}

    return spec(chain(n, linear))


def tied(n: int) -> Data:
    def linear(i: int, x: str) -> Data:
        sizes = {"in_features": 8, "out_features": 8, "params": "shared"}
        return {"op": "linear", "x": x, **sizes}

    return spec(chain(n, linear))


def attributes(n: int) -> Data:
    made = chain(n, lambda i, x: {"op": "elu", "x": x, "alpha": f"$a{i}"})
    return spec(made, attributes={f"a{i}": i for i in range(n)})


def of_functions(n: int) -> Data:
    """A function with n attributes of its own."""
    names = [f"a{i}" for i in range(n)]
    f = {
        "attributes": names,
        "inputs": {"x": {}},
        "nodes": {"n": {"op": "elu", "x": "x", "alpha": "$" + names[-1]}},
        "outputs": {"y": "n"},
    }
    given = {name: i for i, name in enumerate(names)}
    return spec(chain(2, lambda i, x: call("f", x, attributes=given)), {"f": f})


def constraints(n: int) -> Data:
    made = [f"batch + {i} >= {i}" for i in range(n)]
    return spec(chain(1, relu), constraints=made)


def dims(n: int) -> Data:
    inputs = {f"x{i}": {"shape": [f"d{i}", 8], "dtype": "float"} for i in range(n)}
    bounds = {f"d{i}": {"min": 1, "max": 64} for i in range(n)}
    main = {"inputs": inputs, "nodes": {"n": relu(0, "x0")}, "outputs": {"y": "n"}}
    return spec(main, dims=bounds)


def entries(n: int) -> Data:
    inner = {f"e{i}": chain(1, relu) for i in range(n // 8)}
    return spec(chain(1, relu), inner, entries=["main", *inner])


def metadata(n: int) -> Data:
    extra = {f"k{i}": i for i in range(n)}
    return spec(chain(1, relu), metadata={"extra": extra, "tags": list(extra)})


def unknown_references(n: int) -> Data:
    return spec(chain(n, lambda i, x: {"op": "relu", "x": f"m{i}"}))


def unknown_ops(n: int) -> Data:
    return spec(chain(n, lambda i, x: {"op": f"relu{i}", "x": x}))


def unknown_fields(n: int) -> Data:
    return spec(chain(n, lambda i, x: {"op": "relu", "x": x, f"y{i}": 1}))


def unused(n: int) -> Data:
    return spec({**chain(n, lambda i, x: relu(i, "x")), "outputs": {"y": "x"}})


def conflicts(n: int) -> Data:
    def linear(i: int, x: str) -> Data:
        sizes = {"in_features": 8, "out_features": 8 + i, "params": "shared"}
        return {"op": "linear", "x": "x", **sizes}

    return spec(chain(n, linear))


KINDS: list[Callable[[int], Data]] = [
    *(nodes, calls, variants, functions, wide, optional, outputs, parts, leaves, tied),
    *(attributes, of_functions, constraints, dims, entries, metadata),
    *(unknown_references, unknown_ops, unknown_fields, unused, conflicts),
]


def stages(data: Data) -> Iterator[tuple[str, float]]:
    """The CPU seconds of each stage, as far as the Graph gets."""
    text = json.dumps(data).encode()

    def timed(stage: Callable[[], Any]) -> tuple[Any, float]:
        gc.collect()
        start = time.process_time()
        try:
            found = stage()
        except SpecError:
            found = None
        return found, time.process_time() - start

    graph, seconds = timed(lambda: from_bytes(text))
    yield "read", seconds
    if not isinstance(graph, Graph):
        return
    yield "resolve", timed(graph.program)[1]
    yield "text", timed(lambda: to_json(graph))[1]
    yield "digest", timed(lambda: graph.digest)[1]
    yield "reorder", timed(lambda: reorder(graph))[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", type=int, nargs="+", default=[500, 2000, 8000])
    parser.add_argument("--only", nargs="+", default=[k.__name__ for k in KINDS])
    given = parser.parse_args()
    first, last = given.parts[0], given.parts[-1]
    print(f"{'':20}{'':10}" + "".join(f"{n:>9}" for n in given.parts) + "  exponent")
    for kind in KINDS:
        if kind.__name__ not in given.only:
            continue
        dict(stages(kind(20)))  # what is made at first use
        found = [dict(stages(kind(n))) for n in given.parts]
        for stage in found[-1]:
            times = [row.get(stage, math.nan) for row in found]
            slope = math.log(times[-1] / max(times[0], 1e-9)) / math.log(last / first)
            bad = " <<" if times[-1] > 0.05 and slope > GOAL else ""
            shown = "".join(f"{t:9.3f}" for t in times)
            print(f"{kind.__name__:20}{stage:10}{shown}{slope:10.2f}{bad}", flush=True)


if __name__ == "__main__":
    main()
