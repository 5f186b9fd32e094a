"""Unrolled copies that share one set of parameters, against loops by hand."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from runtime.calling import (
    KEY,
    WIDTH,
    X,
    assert_close,
    dropout,
    fn,
    graph,
    init,
    linear,
    node,
    norm,
    ones,
    repeat,
    run,
)
from sample_specs import Data

import blox as bx
from blox.schema import SpecError

BLOCK = fn({"up": linear(), "act": node("tanh", "up")})
x = ones(3, WIDTH)


def shared(function: str, count: int | str = 3, **more: Any) -> Data:
    return repeat(function, count, scan=False, shared=True, **more)


def model(count: int = 3, block: Data = BLOCK, **more: Any) -> bx.Graph:
    return graph({"h": shared("block", count, **more)}, functions={"block": block})


def dense(params: Any, x: Any) -> Any:
    return np.asarray(x) @ np.asarray(params["kernel"]) + np.asarray(params["bias"])


def test_one_set_of_parameters_under_the_node() -> None:
    params = init(model())
    assert list(model().program().leaves()) == ["h.up.kernel", "h.up.bias"]
    expected = np.asarray(x)
    for _ in range(3):
        expected = np.tanh(dense(params["h"]["up"], expected))
    assert_close(run(model(), params, x), (expected, {}))


def test_init_does_not_depend_on_the_copies() -> None:
    key = jax.random.key(0)
    alike = jax.tree.map(jnp.array_equal, *(bx.init(model(n), key) for n in (1, 5)))
    assert jax.tree.all(alike)


@pytest.mark.parametrize("remat", [None, "nothing_saveable"])
def test_gradients_are_those_of_a_scan_with_a_length(remat: str | None) -> None:
    scan = node("scan", None, function="block", carry={"x": "x"}, length=3)
    models = model(remat=remat), graph({"h": scan}, functions={"block": BLOCK})
    params = init(models[0])
    grads = [
        jax.jit(jax.grad(lambda p, m=m: jnp.sum(bx.build(m)(p, x)[0])))(params)
        for m in models
    ]
    assert_close(grads[0], grads[1])


def test_attributes_cycle_and_the_index_counts() -> None:
    block = fn(
        {
            "up": linear(),
            "by": node("multiply", None, a="up", b="$gain"),
            "at": node("add", None, a="by", b="i"),
            "row": node("add", None, a="at", b="r"),
        },
        {"x": "row", "seen": "by"},
        inputs={"x": {}, "i": {}, "r": {}},
        attributes=["gain"],
    )
    more: Data = {"attributes": {"gain": [0.5, 2.0]}, "index": "i", "xs": {"r": "rows"}}
    rows = {"rows": {"shape": [3, 1], "dtype": "float"}}
    found = graph(
        {"h": shared("block", **more)},
        {"x": "h.x", "seen": "h.seen"},
        inputs=X | rows,
        functions={"block": block},
    )
    params, xs = init(found), ones(3, 1)
    expected, seen = np.asarray(x), []
    for i, gain in enumerate((0.5, 2.0, 0.5)):
        seen.append(dense(params["h"]["up"], expected) * gain)
        expected = seen[-1] + i + np.asarray(xs)[i]
    outputs, _ = run(found, params, x, xs)
    assert_close(outputs, {"x": expected, "seen": np.stack(seen)})


def test_keys_fold_the_copy() -> None:
    block = fn({"drop": dropout()}, inputs={"x": {}, "key": KEY})
    found = graph(
        {"h": shared("block", 2, inputs={"key": "key"})},
        inputs=X | {"key": {"shape": [], **KEY}},
        functions={"block": block},
    )
    y, _ = run(found, {}, jnp.ones((64, WIDTH)), jax.random.key(0), train=True)
    kept = [float(jnp.mean(y == value)) for value in (0, 4)]
    assert kept == pytest.approx([0.75, 0.25], abs=0.1)  # one mask would keep a half


def test_state_goes_from_copy_to_copy() -> None:
    found = model(block=fn({"norm": norm(), "act": node("tanh", "norm")}))
    params = init(found)
    outputs, state = run(found, params, x, train=True)
    alone = graph({"norm": norm(), "act": node("tanh", "norm")})
    own, expected = params["h"], x
    new: Data = {}
    for _ in range(3):
        expected, new = bx.build(alone, train=True)(own, expected)
        own = bx.merge(own, new)
    assert_close((outputs, state), (expected, {"h": {"norm": new["norm"]}}))
    assert run(found, params, x)[1] == {"h": {"norm": {}}}


def test_no_copies() -> None:
    assert_close(run(model(0), {}, x), (x, {}))


def test_parts() -> None:
    found = model()
    params = init(found)
    part = found.extract("h[2]")
    assert part.paths["up.kernel"] == ("h.up.kernel", ())
    y, _ = bx.build(part.graph)(part.params(params), x)
    assert_close(y, np.tanh(dense(params["h"]["up"], x)))
    whole = found.extract("h")
    y, _ = bx.build(whole.graph)(whole.params(params), x)
    assert_close(y, bx.build(found)(params, x)[0])
    with pytest.raises(SpecError, match=r"expected a copy, h\[0\] to h\[2\], found h"):
        found.extract("h[3]")


def test_summary_counts_the_arrays_once_and_the_runs_all() -> None:
    one, three = (bx.summary(model(n), batch=1) for n in (1, 3))
    assert one.parameters == three.parameters == WIDTH * WIDTH + WIDTH
    flops = [next(str(row.flops) for row in s.rows) for s in (one, three)]
    assert int(flops[1]) == 3 * int(flops[0])
    copies = {row.name: row for row in three.rows if row.name in ("0", "1-2")}
    assert copies["1-2"].shared
    assert [row.path for row in three.rows if row.is_array] == [
        "h.up.kernel",
        "h.up.bias",
    ]


def test_written_by_the_builder() -> None:
    b = bx.GraphBuilder("model", depth=3)

    def block(f: bx.F, x: bx.Value) -> bx.Value:
        return f.tanh(f.linear("up", x, x.features))

    @b.entry(x=bx.Input(["batch", WIDTH]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        x = f.repeat("h", block, count=b.depth, scan=False, shared=True)(x)
        return f.linear("again", x, x.features, params="h.up")

    params = init(model())
    y, _ = bx.build(b.graph())(params, x)
    assert_close(y, dense(params["h"]["up"], bx.build(model())(params, x)[0]))


def test_the_builders_loop_of_a_length_shares_too() -> None:
    def graph_by(scan: bool) -> bx.Graph:
        b = bx.GraphBuilder("model", depth=3)

        def block(f: bx.F, x: bx.Value) -> bx.Value:
            return f.tanh(f.linear("up", x, x.features))

        @b.entry(x=bx.Input(["batch", WIDTH]))
        def main(f: bx.F, x: bx.Value) -> bx.Value:
            if scan:
                return f.scan("h", block, length=b.depth)(x)
            return f.repeat("h", block, count=b.depth, scan=False, shared=True)(x)

        return b.graph()

    params = init(model())
    found = [bx.build(graph_by(scan))(params, x)[0] for scan in (True, False)]
    assert_close(found[0], found[1])


SIZED = fn(
    {
        "up": linear(),
        "two": {**linear("up"), "out_features": "$size"},
        "down": node("mean", "two", axis=None),
    },
    "down",
    attributes=["size"],
)


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (
            lambda: graph(
                {"h": repeat("block", scan=True, shared=True)},
                functions={"block": BLOCK},
            ),
            "main.h.shared: expected false under scan, found true; the op `scan` with a "
            "`length` is a loop whose steps share their parameters",
        ),
        (
            lambda: model(block=SIZED, attributes={"size": [4, 8]}),
            "main.h.attributes: expected copies that can share two.kernel: one node has "
            "shape [4, 4] here, another [4, 8]",
        ),
        (
            lambda: model(10**9),
            "main.h.count: expected a count of at most 200000 copies; this file can't be "
            "a sound model",
        ),
    ],
    ids=["scan", "sizes", "count"],
)
def test_what_is_refused(made: Any, text: str) -> None:
    with pytest.raises(SpecError) as caught:
        made().program()
    assert str(caught.value) == text
