"""Kinds of models that can be of any size: a Graph as data with n parts of a kind."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

Data = dict[str, Any]
X: Data = {"shape": ["batch", 8], "dtype": "float"}
LINEAR: Data = {"op": "linear", "in_features": 8, "out_features": 8}


def spec(main: Data, functions: Data | None = None, **more: Any) -> Data:
    functions = {"main": main, **(functions or {})}
    return {"format": "blox/1", "name": "growth", **more, "functions": functions}


def chain(n: int, node: Callable[[int, str], Data]) -> Data:
    made, x = {}, "x"
    for i in range(n):
        made[f"n{i}"] = node(i, x)
        x = f"n{i}"
    return {"inputs": {"x": X}, "nodes": made, "outputs": {"y": x}}


def relu(i: int, x: str) -> Data:
    return {"op": "relu", "x": x}


def call(function: str, x: str, **more: Any) -> Data:
    return {"op": "call", "function": function, "inputs": {"x": x}, **more}


def layer() -> Data:
    """A function with two arrays."""
    body = {"l": {**LINEAR, "x": "x"}, "r": {"op": "relu", "x": "l"}}
    return {"inputs": {"x": {}}, "nodes": body, "outputs": {"x": "r"}}


def nodes(n: int) -> Data:
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

    return spec(chain(n, node))


def convs(n: int) -> Data:
    """A flat chain of convolutions of two kinds, batch norms and pooling."""
    conv = {"op": "conv", "in_features": 8, "out_features": 8, "padding": "SAME"}
    kinds: list[Data] = [
        {**conv, "kernel_size": [3, 3]},
        {"op": "batch_norm", "features": 8},
        {**conv, "kernel_size": [1, 3], "use_bias": False, "dilation": 2},
        {"op": "max_pool", "window": [3, 3], "strides": 1, "padding": "SAME"},
    ]
    main = chain(n, lambda i, x: {**kinds[i % 4], "x": x})
    main["inputs"] = {"x": {"shape": ["batch", 16, 16, 8], "dtype": "float"}}
    return spec(main)


def calls(n: int) -> Data:
    """Calls of one function, each with arrays of its own."""
    return spec(chain(n, lambda i, x: call("f", x)), {"f": layer()})


def functions(n: int) -> Data:
    """Functions, each called once."""
    made = {f"f{i}": layer() for i in range(n)}
    return spec(chain(n, lambda i, x: call(f"f{i}", x)), made)


def joined(names: list[str]) -> Data:
    return {"op": "concatenate", "xs": names, "axis": -1}


def inputs(n: int) -> Data:
    """Inputs of an entry, all of them operands of one node."""
    given = dict.fromkeys([f"x{i}" for i in range(n)], X)
    made = {"all": joined([*given])}
    return spec({"inputs": given, "nodes": made, "outputs": {"y": "all"}})


def operands(n: int) -> Data:
    """Operands of one node, each the result of another."""
    made: Data = {f"a{i}": relu(i, "x") for i in range(n)}
    made["all"] = joined([*made])
    return spec({"inputs": {"x": X}, "nodes": made, "outputs": {"y": "all"}})


def outputs(n: int) -> Data:
    """Outputs of an entry, each the result of a node."""
    main = chain(n, relu)
    return spec({**main, "outputs": {f"y{i}": f"n{i}" for i in range(n)}})


def copies(n: int) -> Data:
    """Copies of an unrolled repeat."""
    h = {"op": "repeat", "function": "f", "count": n, "carry": {"x": "x"}}
    return spec(chain(1, lambda i, x: h | {"scan": False}), {"f": layer()})


def leaves(n: int) -> Data:
    """Arrays, one a node."""
    made: Data = {f"p{i}": {"op": "param", "shape": [8]} for i in range(n)}
    made["all"] = joined([*made])
    return spec({"inputs": {"x": X}, "nodes": made, "outputs": {"y": "all"}})


def shards(n: int) -> Data:
    """Arrays, each in a file of its own."""
    return leaves(n)


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


# Files that are at fault everywhere


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


Kind = Callable[[int], Data]

WHOLE: list[Kind] = [
    *(nodes, convs, calls, functions, inputs, operands, outputs, copies, leaves),
]
"""Those of which every step is of interest."""
FILES: list[Kind] = [shards]
"""Those of files of arrays."""
SPECS: list[Kind] = [
    *(variants, wide, optional, parts, tied, attributes, of_functions, constraints),
    *(dims, entries, metadata),
]
"""Those of the spec alone."""
FAULTY: list[Kind] = [
    unknown_references,
    unknown_ops,
    unknown_fields,
    unused,
    conflicts,
]
"""Those that are only read."""
MOST = {"functions": 1_900, "calls": 6_000}
"""Where the format's own limits end."""
