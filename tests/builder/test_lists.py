"""Lists of arrays per copy in the builder: inputs with copies, what goes through them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import pytest

import blox as bx
from blox.builder.change import change as rewritten
from blox.schema import Graph, SpecError


def cell(
    f: bx.F, x: bx.Value, k: bx.Value, *, gain: float = 1.0
) -> dict[str, bx.Value]:
    new = k + f.linear("up", x, x.features)
    return {"x": f.tanh(new) * gain, "k": new, "mean": new.mean()}


def decoder(depth: int = 3) -> Graph:
    b = bx.GraphBuilder("decoder", width=4, depth=depth)

    @b.entry(
        x=bx.Input(["batch", b.width]),
        k=bx.Input(["batch", b.width], copies=b.depth, doc="of each layer"),
    )
    def main(f: bx.F, x: bx.Value, k: bx.Value) -> dict[str, bx.Value]:
        assert repr(k) == f"Value(main.k: list of {depth} float32[batch, 4])"
        out = f.repeat("h", cell, count=b.depth, scan=False, listed=["mean"])(
            x, bx.slices(k), gain=2.0
        )
        assert repr(out["k"]) == f"Value(main.h.k: list of {depth} float32[batch, 4])"
        return {"y": out["x"], "k": bx.output(out["k"], next="k"), "mean": out["mean"]}

    return b.graph()


def test_what_is_written() -> None:
    functions = decoder().plain()["functions"]
    main = functions["main"]
    assert main["inputs"]["k"] == {
        "shape": ["batch", "$width"],
        "dtype": "float",
        "copies": "$depth",
        "doc": "of each layer",
    }
    assert main["nodes"]["h"]["xs"] == {"k": "k"}
    assert main["nodes"]["h"]["listed"] == ["mean", "k"]
    assert functions["cell"]["inputs"] == {"x": {}, "k": {}}


def test_another_depth() -> None:
    assert decoder(5) == decoder().replace_attributes(depth=5)
    bx.check_attributes(decoder, depth=2)
    with pytest.raises(SpecError, match="expected at least 1, found 0"):
        decoder().replace_attributes(depth=0)


def stack(f: bx.F, x: bx.Value, k: bx.Value, *, depth: int) -> dict[str, bx.Value]:
    out = f.repeat("h", cell, count=depth, scan=False)(x, bx.slices(k))
    return {"x": out["x"], "k": out["k"]}


def test_a_function_gets_and_gives_lists() -> None:
    b = bx.GraphBuilder("two", width=4)
    given = bx.Input(["batch", b.width], copies=2)

    @b.entry(
        x=bx.Input(["batch", b.width]), k=given, m=bx.Input(["batch", 4], copies=3)
    )
    def main(f: bx.F, x: bx.Value, k: bx.Value, m: bx.Value) -> dict[str, bx.Value]:
        a = f.call("a", stack)(x, k, depth=2)
        c = f.call("c", stack)(a["x"], a["k"], depth=2)
        d = f.call("d", stack)(c["x"], m, depth=3)
        return {"x": d["x"], "k": c["k"], "m": d["k"]}

    graph = b.graph()
    functions = graph.plain()["functions"]
    assert list(functions) == ["main", "stack", "cell"]  # other counts, one function
    assert functions["stack"]["attributes"] == ["depth"]
    assert functions["stack"]["inputs"]["k"] == {"copies": "$depth"}
    assert functions["main"]["nodes"]["d"]["attributes"] == {"depth": 3}
    params = bx.init(graph, jax.random.key(0))
    x, k, m = jnp.ones((2, 4)), [jnp.ones((2, 4))] * 2, [jnp.ones((2, 4))] * 3
    outputs, _ = bx.build(graph)(params, x, k, m)
    assert [len(outputs[n]) for n in ("k", "m")] == [2, 3]


def test_arrays_and_lists_are_two_functions() -> None:
    def same(f: bx.F, k: bx.Value) -> bx.Value:
        return k

    b = bx.GraphBuilder("both")

    @b.entry(k=bx.Input([2], copies=2), x=bx.Input([2]))
    def main(f: bx.F, k: bx.Value, x: bx.Value) -> dict[str, bx.Value]:
        return {"k": f.call("a", same)(k), "x": f.call("b", same)(x)}

    program = b.graph().program()
    assert program.entries["main"].output_copies == {"k": 2}


@pytest.mark.parametrize("change", [False, True], ids=["included", "changed"])
def test_of_another_graph(change: bool) -> None:
    inner = decoder()
    if change:
        assert rewritten(inner, {}) == inner
        return
    b = bx.GraphBuilder("outer", depth=3)
    base = b.include(inner, depth=b.depth)
    k = bx.Input(["batch", 4], copies=b.depth)

    @b.entry(x=bx.Input(["batch", 4]), k=k)
    def main(f: bx.F, x: bx.Value, k: bx.Value) -> dict[str, bx.Value]:
        out = f.call("model", base.main)(x, k)
        return {"y": out.y, "k": bx.output(out.k, next="k")}

    graph = b.graph()
    params = bx.init(inner, jax.random.key(0))
    given = (jnp.ones((2, 4)), [jnp.full((2, 4), float(i)) for i in range(3)])
    ours, _ = bx.build(graph)({"model": params}, *given)
    theirs, _ = bx.build(inner)(params, *given)
    assert jax.tree.all(jax.tree.map(jnp.array_equal, ours["k"], theirs["k"]))


def listed_of(body: Callable[..., Any], **inputs: bx.Input) -> Graph:
    b = bx.GraphBuilder("faults")
    b.entry(
        body,
        **{
            "x": bx.Input(["batch", 4]),
            "k": bx.Input(["batch", 4], copies=3),
            **inputs,
        },
    )
    return b.graph()


LISTS = "; bx.slices of a list gives each copy of f.repeat, with scan=False, its array"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (lambda f, x, k: x + k, f"add_1.b: expected a tensor, found a list{LISTS}"),
        (lambda f, x, k: k[0], f"index_1.x: expected a tensor, found a list{LISTS}"),
        (
            lambda f, x, k: next(iter(k)),
            "k: expected an op, found a loop over a value; f.repeat with scan=False and "
            "bx.slices of it goes through a list",
        ),
        (
            lambda f, x, k: f.repeat("h", cell, count=3)(x, bx.slices(k))["x"],
            "h.k: expected slices of an array, found those of a list; f.repeat with "
            "scan=False goes through a list",
        ),
        (
            lambda f, x, k: f.repeat("h", cell_of, count=3, scan=False)(x, k)["x"],
            "h.k: expected an array that is carried, found the list k; bx.slices(k) gives "
            "one array to each copy; return what stays by another name",
        ),
    ],
    ids=["operator", "index", "loop", "scan", "carry"],
)
def test_what_is_refused(body: Any, text: str) -> None:
    def main(f: bx.F, x: bx.Value, k: bx.Value) -> bx.Value:
        found: bx.Value = body(f, x, k)
        return found

    with pytest.raises(SpecError) as caught:
        listed_of(main)
    assert str(caught.value) == f"main.{text}"


def cell_of(f: bx.F, x: bx.Value, k: bx.Value) -> dict[str, bx.Value]:
    return {"x": x, "k": k}


def test_another_count_than_the_copies() -> None:
    def main(f: bx.F, x: bx.Value, k: bx.Value) -> bx.Value:
        return f.repeat("h", cell, count=2, scan=False)(x, bx.slices(k))["x"]

    text = r"main\.h\.xs\.k: expected a list of 2 arrays, found one of 3"
    with pytest.raises(SpecError, match=text):
        listed_of(main)
