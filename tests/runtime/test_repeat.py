"""Repeat, scanned and unrolled, against loops by hand."""

from __future__ import annotations

from pathlib import Path
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
    ones,
    repeat,
    run,
)

import blox as bx

BLOCK = fn({"up": linear(), "act": node("tanh", "up")})
HOW = pytest.mark.parametrize("scan", [False, True], ids=["unrolled", "scanned"])
x = ones(3, WIDTH)


def copies(params: Any, count: int) -> list[Any]:
    """The parameters of each copy, from a list or from stacked arrays."""
    if isinstance(params, list):
        return params
    return [jax.tree.map(lambda a, i=i: a[i], params) for i in range(count)]


def dense(params: Any, x: Any) -> Any:
    return np.asarray(x) @ np.asarray(params["kernel"]) + np.asarray(params["bias"])


@HOW
@pytest.mark.parametrize("remat", [None, "nothing_saveable", "dots_saveable"])
def test_copies_one_after_another(scan: bool, remat: str | None) -> None:
    model = graph(
        {"h": repeat("block", scan=scan, remat=remat)}, functions={"block": BLOCK}
    )
    params = init(model)
    assert isinstance(params["h"], dict if scan else list)
    found, state = run(model, params, x)
    expected = np.asarray(x)
    for own in copies(params["h"], 3):
        expected = np.tanh(dense(own["up"], expected))
    assert_close((found, state), (expected, {}))


@HOW
def test_gradients_under_remat(scan: bool) -> None:
    plain, remat = (
        graph({"h": repeat("block", scan=scan, remat=r)}, functions={"block": BLOCK})
        for r in (None, "nothing_saveable")
    )
    params = init(plain)
    grads = [
        jax.jit(jax.grad(lambda p, m=m: jnp.sum(bx.build(m)(p, x)[0])))(params)
        for m in (plain, remat)
    ]
    assert_close(grads[1], grads[0])


MANY = fn(
    {
        "up": linear(),
        "gained": node("multiply", None, a="up", b="gain"),
        "sliced": node("add", None, a="gained", b="row"),
        "fixed": node("add", None, a="sliced", b="same"),
        "next": node("add", None, a="fixed", b="i"),
        "mean": node("mean", "next", axis=[-1]),
    },
    {"mean": "mean", "x": "next", "twin": "gained"},
    inputs={"row": {}, "x": {}, "same": {}, "gain": {}, "i": {}},
)


@HOW
def test_xs_literal_lists_index_inputs_and_stacked_outputs(scan: bool) -> None:
    model = graph(
        {
            "h": repeat(
                "many",
                scan=scan,
                xs={"gain": [0.5, 2.0, -1.5], "row": "rows"},
                inputs={"same": "x"},
                index="i",
            )
        },
        {"x": "h.x", "twin": "h.twin", "mean": "h.mean"},
        inputs={**X, "rows": {"shape": ["n", "batch", WIDTH], "dtype": "float"}},
        functions={"many": MANY},
    )
    params, rows = init(model), ones(3, 3, WIDTH) ** 2
    found, _ = run(model, params, x, rows)
    carry, twins, means = np.asarray(x), [], []
    for i, own in enumerate(copies(params["h"], 3)):
        twins.append(dense(own["up"], carry) * [0.5, 2.0, -1.5][i])
        carry = twins[-1] + np.asarray(rows[i]) + np.asarray(x) + i
        means.append(carry.mean(-1))
    expected = {"x": carry, "twin": np.stack(twins), "mean": np.stack(means)}
    assert_close(found, expected)


@HOW
def test_an_output_that_nothing_uses(scan: bool) -> None:
    model = graph(
        {
            "h": repeat(
                "many",
                scan=scan,
                xs={"gain": [1, 2, 3], "row": "x"},
                inputs={"same": 0.0},
                index="i",
            )
        },
        "h.x",
        functions={"many": MANY},
    )
    params = init(model)
    found, _ = run(model, params, x)
    carry = np.asarray(x)
    for i, own in enumerate(copies(params["h"], 3)):
        carry = dense(own["up"], carry) * (i + 1) + np.asarray(x[i]) + i
    assert_close(found, carry)


@HOW
def test_one_copy(scan: bool) -> None:
    model = graph(
        {"h": repeat("block", 1, scan=scan), "y": node("negative", "h")},
        functions={"block": BLOCK},
    )
    params = init(model)
    found, _ = run(model, params, x)
    (own,) = copies(params["h"], 1)
    assert_close(found, -np.tanh(dense(own["up"], x)))


KEYED = fn(
    {
        "up": linear(),
        "norm": node("batch_norm", "up", features=WIDTH),
        "drop": dropout("norm"),
    },
    inputs={"x": {}, "row": {}, "i": {}, "n": {"dtype": "float"}, "key": KEY},
    outputs={"x": "drop", "n": "n", "rows": "up"},
)


@HOW
def test_no_copies(scan: bool) -> None:
    """No arrays, no state, no keys; the carry as it came, a literal as an array."""
    model = graph(
        {
            "h": repeat(
                "keyed",
                "$depth - 1",
                scan=scan,
                carry={"x": "x", "n": 2},
                xs={"row": []},
                inputs={"key": "key"},
                index="i",
            ),
            "y": node("negative", "h.x"),
        },
        {"y": "y", "n": "h.n"},
        inputs={**X, "key": {**KEY, "shape": []}},
        functions={"keyed": KEYED},
        attributes={"depth": 1},
    )
    assert bx.validate(model).ok
    assert model.program().leaves() == {}
    params = bx.init(model, jax.random.key(0))
    assert params == {}
    for given in ((x,), (x, jax.random.key(1))):
        found, state = run(model, params, *given)
        assert_close((found, state), ({"y": -x, "n": np.float32(2)}, {}))
    assert "random" not in str(jax.make_jaxpr(bx.build(model))(params, *given))
    assert "keyed" not in bx.generate(model)
    with pytest.raises(bx.SpecError, match=r"expected 2 values, one a copy, found 0"):
        model.replace_attributes(depth=3)


@HOW
def test_no_copies_are_saved_and_loaded(scan: bool, tmp_path: Path) -> None:
    model = graph(
        {"l": linear(), "h": repeat("block", 0, scan=scan, carry={"x": "l"})},
        functions={"block": BLOCK},
    )
    params = init(model)
    assert params.keys() == {"l"}
    bx.save(tmp_path, model, params)
    loaded, arrays = bx.load(tmp_path)
    assert_close(bx.build(loaded)(arrays, x), run(model, params, x))
    assert bx.verify(tmp_path).ok


@HOW
def test_no_copies_have_nothing_to_stack(scan: bool) -> None:
    part = fn({"y": node("negative"), "n": node("sum")}, {"x": "y", "n": "n"})
    model = graph(
        {"h": repeat("part", 0, scan=scan)},
        {"x": "h.x", "n": "h.n"},
        functions={"part": part},
    )
    with pytest.raises(bx.SpecError) as error:
        bx.build(model)
    assert str(error.value) == (
        "main.h: expected at least one copy to stack 'n', found none"
    )


@HOW
def test_no_copies_of_a_faulty_function(scan: bool) -> None:
    part = fn({"y": node("leaky_relu", negative_slope="$1 // 0")})
    model = graph({"h": repeat("part", 0, scan=scan)}, functions={"part": part})
    assert [d.path for d in bx.validate(model).errors] == ["part.y.negative_slope"]


@HOW
def test_a_literal_carry(scan: bool) -> None:
    count = fn(
        {"n": node("add", None, a="n", b=1), "y": node("multiply", None, a="y", b=0.5)},
        {"n": "n2", "y": "y2"},
        inputs={"n": {}, "y": {}},
    )
    count["nodes"] = {"n2": count["nodes"]["n"], "y2": count["nodes"]["y"]}
    model = graph(
        {"h": repeat("count", scan=scan, carry={"n": 4, "y": 1.0})},
        {"n": "h.n", "y": "h.y"},
        functions={"count": count},
    )
    found, _ = run(model, bx.init(model, jax.random.key(0)), x)
    assert_close(found, {"n": 7, "y": 0.125})
    assert found["n"].dtype == jnp.int32
    assert found["y"].dtype == jnp.float32


def test_no_carry() -> None:
    part = fn({"up": linear()}, inputs={"x": {}})
    for scan in (False, True):
        model = graph(
            {"h": repeat("part", scan=scan, carry={}, inputs={"x": "x"})},
            functions={"part": part},
        )
        params = init(model)
        found, _ = run(model, params, x)
        expected = [dense(own["up"], x) for own in copies(params["h"], 3)]
        assert_close(found, np.stack(expected))


def test_cycling_attributes() -> None:
    part = fn(
        {
            "y": node("multiply", None, a="x", b="$gain"),
            "z": node("roll", "y", shift="$shift", axis=-1),
        },
        attributes=["gain", "shift"],
    )
    model = graph(
        {
            "h": repeat(
                "part",
                5,
                scan=False,
                attributes={"gain": [0.5, "$base", 3], "shift": [1, 2]},
            )
        },
        attributes={"base": 2},
        functions={"part": part},
    )
    found, _ = run(model, {}, x)
    expected = np.asarray(x)
    for i in range(5):
        expected = np.roll(expected * (0.5, 2, 3)[i % 3], (1, 2)[i % 2], -1)
    assert_close(found, expected)


def test_copies_of_different_sizes() -> None:
    part = fn(
        {
            "up": node("linear", in_features=WIDTH, out_features="$features"),
            "down": node("linear", "up", in_features="$features", out_features=WIDTH),
        },
        attributes=["features"],
    )
    model = graph(
        {"h": repeat("part", scan=False, attributes={"features": [2, 6]})},
        functions={"part": part},
    )
    params = init(model)
    assert [p["up"]["kernel"].shape[1] for p in params["h"]] == [2, 6, 2]
    found, _ = run(model, params, x)
    expected = x
    for own in params["h"]:
        expected = dense(own["down"], dense(own["up"], expected))
    assert_close(found, expected)


@pytest.mark.parametrize("outer", [False, True])
@pytest.mark.parametrize("inner", [False, True])
def test_repeats_of_repeats(outer: bool, inner: bool) -> None:
    model = graph(
        {"h": repeat("row", 2, scan=outer)},
        functions={"row": fn({"g": repeat("block", scan=inner)}), "block": BLOCK},
    )
    params = init(model)
    found, _ = run(model, params, x)
    expected = np.asarray(x)
    for row in copies(params["h"], 2):
        for own in copies(row["g"], 3):
            expected = np.tanh(dense(own["up"], expected))
    assert_close(found, expected)


def test_two_repeats_over_the_same_stack() -> None:
    model = graph(
        {
            "h": repeat("block", scan=True),
            "again": repeat("block", scan=True, carry={"x": "h"}, params="h"),
        },
        functions={"block": BLOCK},
    )
    params = init(model)
    assert list(params) == ["h"]
    found, _ = run(model, params, x)
    expected = np.asarray(x)
    for own in 2 * copies(params["h"], 3):
        expected = np.tanh(dense(own["up"], expected))
    assert_close(found, expected)


@HOW
def test_literal_xs_keep_the_dtype_of_the_model(scan: bool) -> None:
    gain = fn(
        {"y": node("multiply", None, a="x", b="gain")},
        inputs={"x": {}, "gain": {}},
    )
    model = graph(
        {"h": repeat("gain", 2, scan=scan, xs={"gain": [0.5, 3.0]})},
        functions={"gain": gain},
    )
    params = bx.init(model, jax.random.key(0))
    found, _ = bx.build(model, dtype="bfloat16")(params, x)
    assert found.dtype == jnp.bfloat16
    assert_close(found.astype(jnp.float32), x * 1.5, rtol=1e-2, atol=1e-2)
