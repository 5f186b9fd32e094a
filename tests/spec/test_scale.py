"""Files that have thousands of something: work grows with the file, whatever it joins."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from sample_specs import RELU, function, spec
from work import counted

from blox.schema import Graph, SpecError
from blox.schema.limits import MAX_DEPTH
from blox.schema.resolve.resolver import validate

Data = dict[str, Any]


def chain(n: int, node: Callable[[int, str], Data]) -> Data:
    nodes: Data = {}
    x = "x"
    for i in range(n):
        nodes[f"n{i}"] = node(i, x)
        x = f"n{i}"
    return nodes


def call(x: str, **more: Any) -> Data:
    return {"op": "call", "function": "f", "inputs": {"x": x}, **more}


def optional_inputs(n: int) -> Data:
    """n calls give one input of the n that a function has."""
    inputs = {"x": {}, **{f"o{i}": {"optional": True} for i in range(n)}}
    f = function({"n": RELU}, "n", inputs)
    return spec(chain(n, lambda i, x: call(x)), functions={"f": f})


def outputs_of_calls(n: int) -> Data:
    """n calls, of each of which one output of n is used."""
    f = function({"n": RELU}, {f"y{i}": "n" for i in range(n)})
    nodes: Data = {f"c{i}": call("x") for i in range(n)}
    used = {f"r{i}": {"op": "relu", "x": f"c{i}.y{n - 1}"} for i in range(n)}
    outputs = {f"o{i}": f"r{i}" for i in range(n)}
    return spec({**nodes, **used}, outputs, functions={"f": f})


def parts(n: int) -> Data:
    """One node of n outputs, all of which are used."""
    names = [f"p{i}" for i in range(n)]
    split = {"op": "split", "x": "x", "names": names, "axis": 0}
    nodes = {f"n{i}": {"op": "relu", "x": f"s.{p}"} for i, p in enumerate(names)}
    return spec({"s": split, **nodes}, {f"o{i}": f"n{i}" for i in range(n)})


def attributes_of_variants(n: int) -> Data:
    """n variants of a function in a Graph of n attributes."""
    elu = {"op": "elu", "x": "x", "alpha": "$k"}
    f = function({"n": elu}, "n", attributes=["k"])
    nodes = chain(n, lambda i, x: call(x, attributes={"k": i}))
    attributes = {f"a{i}": i for i in range(n)}
    return spec(nodes, functions={"f": f}, attributes=attributes)


def attributes_of_functions(n: int) -> Data:
    functions = {f"f{i}": function({"n": RELU}, "n") for i in range(n)}
    attributes = {f"a{i}": i for i in range(n)}
    return spec({"n": RELU}, functions=functions, attributes=attributes)


KINDS = [
    *(optional_inputs, outputs_of_calls, parts, attributes_of_variants),
    attributes_of_functions,
]


@pytest.mark.parametrize("kind", KINDS)
def test_work_grows_with_the_file(kind: Callable[[int], Data]) -> None:
    small, large = Graph.parse(kind(50)), Graph.parse(kind(400))
    with counted() as first:
        validate(small)
    with counted() as second:
        validate(large)
    assert second.calls < 8 * 1.3 * first.calls


@pytest.mark.parametrize("kind", KINDS)
def test_memory_grows_with_the_file(kind: Callable[[int], Data]) -> None:
    """Also where C copies what it is not called for: dicts, sets."""
    peaks = []
    for n in (50, 800):
        graph = Graph.parse(kind(n))
        tracemalloc.start()
        try:
            validate(graph)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] < 16 * 1.6 * peaks[0]


def test_paths_have_a_greatest_depth() -> None:
    linear = {"op": "linear", "x": "x", "in_features": 8, "out_features": 8}
    with pytest.raises(SpecError, match=r"main.n.params: .* of at most 32 names"):
        Graph.parse(spec({"n": {**linear, "params": ".".join(["a"] * 33)}}))
    long = ".".join(["a"] * 31)
    functions: Data = {
        f"f{i}": function(
            {"n": {**call("x"), "function": f"f{i + 1}", "params": long}}, "n"
        )
        for i in range(10)
    }
    functions["f10"] = function({"n": linear}, "n")
    deep = Graph.parse(
        spec({"n": {**call("x"), "function": "f0"}}, functions=functions)
    )
    with pytest.raises(SpecError) as caught:
        deep.program()
    (found,) = caught.value.diagnostics
    assert found.code == "too-large"
    assert found.message.startswith(f"expected paths of at most {MAX_DEPTH} names, ")
