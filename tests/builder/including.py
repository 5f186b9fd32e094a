"""Graphs that include others, for tests."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import jax
from golden_models import graph_of
from sample_specs import spec

import blox as bx
from blox.schema import Graph

TOKENS = bx.Input(["batch", "seq"], "int32")


def around(graph: Graph, entry: str) -> Graph:
    """A Graph that does nothing but call an entry of another, with its parameters."""
    b = bx.GraphBuilder("outer")
    base = b.include(graph, name="inner")
    declared = graph.functions[entry].inputs

    def size(given: Any) -> Any:
        named = isinstance(given, str) and given.startswith("$")
        own = "|".join(graph.attributes)
        return re.sub(rf"\b({own})\b", r"inner_\1", given) if named else given

    inputs = {
        name: bx.Input(
            [size(s) for s in i.shape or []],
            i.dtype or "float",
            i.optional,
            copies=size(i.copies),
        )
        for name, i in declared.items()
    }
    names = ", ".join(n + "=None" * i.optional for n, i in declared.items())
    passed = ", ".join(f"{n}={n}" for n in declared)
    scope: dict[str, Any] = {"called": base[entry]}
    exec(  # a function of just these inputs
        f"def main(f, {names}):\n"
        f"    found = f.call('call', called, params='.')({passed})\n"
        "    return found",
        scope,
    )
    b.entry(scope["main"], **inputs)
    return b.graph()


def gpt_with(
    write: Callable[[Any, bx.F, bx.Value], bx.Value],
    shape: list[Any],
    before: Callable[[bx.GraphBuilder], None] = lambda b: None,
) -> Graph:
    b = bx.GraphBuilder("outer")
    base = b.include(graph_of("tiny_gpt"), name="gpt")
    before(b)
    b.entry(lambda_named(lambda f, x: write(base, f, x)), x=bx.Input(shape, "int32"))
    return b.graph()


def lambda_named(function: Callable[..., Any]) -> Callable[..., Any]:
    function.__name__ = "main"
    return function


def called(base: Any, f: bx.F, x: bx.Value) -> bx.Value:
    made: bx.Value = f.call("model", base.main)(x)
    return made


BOUNDED = spec(
    {"relu": {"op": "relu", "x": "x"}},
    inputs={"x": {"shape": ["batch", "n"], "dtype": "float"}},
    dims={"n": {"min": 4, "multiple_of": 4}},
)


def two_of_a_name() -> tuple[Graph, Graph]:
    def of(width: int) -> Graph:
        b = bx.GraphBuilder("enc", width=width)
        b.dim("seq", max=b.width)

        def layer(f: bx.F, x: bx.Value) -> bx.Value:
            return x + f.linear("up", x, b.width)

        @b.entry(x=bx.Input(["batch", "seq", b.width]))
        def main(f: bx.F, x: bx.Value) -> bx.Value:
            return f.repeat("h", layer, count=2)(x)

        return b.graph(
            license=f"L{width}", authors=["A", "B"], extra={"k": [{"n": width}]}
        )

    return of(8), of(16)


def shapes_of(graph: Graph) -> Any:
    return jax.eval_shape(lambda: bx.init(graph, jax.random.key(0)))
