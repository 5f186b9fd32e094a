"""Keys: JAX's own fold_in, by crc32 of names and by step; masks from jax.random."""

from __future__ import annotations

import zlib
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
    call,
    dropout,
    fn,
    graph,
    linear,
    node,
    repeat,
    run,
)
from sample_specs import Data

import blox as bx

RATE = 0.5
x = jnp.ones((6, WIDTH))
RNG: Data = {"op": "rng"}
PART = fn({"drop": dropout()}, inputs={"x": {}, "key": KEY})
KEYED = {**X, "key": {"shape": [], "dtype": "key"}}


def fold(key: Any, *parts: str | int) -> Any:
    for part in parts:
        data = zlib.crc32(part.encode()) if isinstance(part, str) else part
        key = jax.random.fold_in(key, data)
    return key


def dropped(x: Any, key: Any, *parts: str | int) -> Any:
    """x after dropout with the key of a path of names and steps."""
    keep = jax.random.bernoulli(fold(key, *parts), 1 - RATE, np.shape(x))
    return np.where(keep, np.asarray(x) / (1 - RATE), 0)


def start(params: Any) -> Any:
    """The key that an rng node yields: of its data, folded by its counter."""
    own = params["rng"]
    return jax.random.fold_in(
        jax.random.wrap_key_data(own["key_data"], impl="threefry2x32"), own["count"]
    )


def test_an_rng_counts_calls() -> None:
    model = graph({"rng": RNG, "drop": dropout("x", "rng")})
    params = bx.init(model, jax.random.key(0))
    assert params["rng"]["key_data"].dtype == jnp.uint32
    for count in range(3):
        key = jax.random.wrap_key_data(params["rng"]["key_data"], impl="threefry2x32")
        found, state = run(model, params, x, train=True)
        assert_close(found, dropped(x, fold(key, count), "drop"))
        assert int(state["rng"]["count"]) == count + 1
        params = bx.merge(params, state)


def test_without_training_there_is_no_key() -> None:
    model = graph(
        {
            "rng": RNG,
            "drop": dropout("x", "rng"),
            "h": repeat("part", scan=True, inputs={"key": "rng"}, carry={"x": "drop"}),
            "y": node("negative", "h"),
        },
        functions={"part": PART},
    )
    params = bx.init(model, jax.random.key(0))
    found, state = run(model, params, x)
    assert_close(found, -x)
    assert state == {"rng": {}}
    text = str(jax.make_jaxpr(bx.build(model))(params, x))
    assert "random" not in text
    assert "threefry" not in text


def test_a_key_is_folded_by_names_along_calls() -> None:
    model = graph(
        {
            "a": call("outer", {"x": "x", "key": "key"}),
            "b": call("outer", {"x": "x", "key": "key"}, remat="nothing_saveable"),
            "c": call("outer", {"x": "x"}),
        },
        {"a": "a", "b": "b", "c": "c"},
        inputs=KEYED,
        functions={
            "outer": fn(
                {"inner": call("part", {"x": "x", "key": "key"})},
                inputs={"x": {}, "key": KEY},
            ),
            "part": PART,
        },
    )
    key = jax.random.key(7)
    found, state = run(model, {}, x, key)
    assert state == {}
    expected = {n: dropped(x, key, n, "inner", "drop") for n in ("a", "b")}
    assert_close(found, {**expected, "c": x})
    other = jax.random.key(7, impl="rbg")
    assert bx.build(model)({}, x, other)[0]["a"].shape == x.shape


@pytest.mark.parametrize("remat", [None, "nothing_saveable"])
def test_scan_and_unrolled_fold_the_step_alike(remat: str | None) -> None:
    key, found = jax.random.key(3), []
    for scan in (False, True):
        h = repeat("part", scan=scan, inputs={"key": "key"}, remat=remat)
        model = graph({"h": h}, inputs=KEYED, functions={"part": PART})
        params = bx.init(model, key)
        found.append(run(model, params, x, key)[0])
    expected = x
    for i in range(3):
        expected = dropped(expected, key, "h", i, "drop")
    assert_close(found, [expected, expected])


def test_every_loop_and_branch_folds() -> None:
    inputs: Data = {"x": "x", "key": "key"}
    only: Data = {"key": "key"}
    carry: Data = {"x": "x"}
    both: Data = {"x": {}, "n": {}, "key": KEY}
    scan = {"op": "scan", "function": "part", "carry": carry, "length": 2}
    model = graph(
        {
            "s": {**scan, "inputs": only},
            "r": {
                **{k: v for k, v in scan.items() if k not in ("carry", "length")},
                "xs": {"x": "x"},
                "inputs": only,
                "reverse": True,
            },
            "m": {"op": "map", "function": "part", "xs": carry, "inputs": only},
            "e": {"op": "map", "function": "part", "inputs": inputs, "count": 2},
            "c": {
                "op": "cond",
                "predicate": 1,
                "then": "part",
                "else": "part",
                "inputs": inputs,
            },
            "w": {
                "op": "while_loop",
                "cond": "more",
                "body": "body",
                "carry": {"x": "x", "n": 0},
                "inputs": only,
            },
        },
        {"s": "s", "r": "r", "m": "m", "e": "e", "c": "c", "w": "w.x"},
        inputs=KEYED,
        functions={
            "part": PART,
            "more": fn({"p": node("less", None, a="n", b=2)}, "p", inputs=both),
            "body": fn(
                {"drop": dropout(), "m": node("add", None, a="n", b=1)},
                {"x": "drop", "n": "m"},
                inputs=both,
            ),
        },
    )
    key = jax.random.key(5)
    found, _ = run(model, {}, x, key)

    def twice(name: str) -> Any:
        return dropped(dropped(x, key, name, 0, "drop"), key, name, 1, "drop")

    rows = range(len(x))
    assert_close(
        found,
        {
            "s": twice("s"),
            "r": np.stack([dropped(x[i], key, "r", i, "drop") for i in rows]),
            "m": np.stack([dropped(x[i], key, "m", i, "drop") for i in rows]),
            "e": np.stack([dropped(x, key, "e", i, "drop") for i in range(2)]),
            "c": dropped(x, key, "c", "drop"),
            "w": twice("w"),
        },
    )


def test_removing_a_layer_changes_no_other_mask() -> None:
    masks = []
    names = ("first", "second", "third")
    for removed in (None, "first", "second"):
        left = [n for n in names if n != removed]
        nodes = {n: dropout("x", "rng") for n in left}
        model = graph({"rng": RNG, **nodes}, {n: n for n in left})
        params = bx.init(model, jax.random.key(0))
        masks.append(bx.build(model, train=True)(params, x)[0])
    assert not np.array_equal(masks[0]["first"], masks[0]["third"])
    for mask in masks[1:]:
        for name, value in mask.items():
            assert_close(value, masks[0][name])


def test_keys_under_vmap_are_those_of_each_lane() -> None:
    model = graph({"drop": dropout()}, inputs=KEYED)
    keys = jax.random.split(jax.random.key(0), 3)
    built = bx.build(model)
    found = jax.vmap(lambda k: built({}, x, k)[0])(keys)
    assert_close(found, np.stack([dropped(x, k, "drop") for k in keys]))


def test_ops_that_draw() -> None:
    model = graph(
        {
            "normal": node(
                "random_normal", None, key="key", shape=["$batch", 2], dtype="float"
            ),
            "uniform": node(
                "random_uniform",
                None,
                key="key",
                shape=[3],
                dtype="float32",
                minval=-1.0,
                maxval=2.0,
            ),
            "coin": node("bernoulli", None, key="key", shape=[9], p=0.25),
        },
        {"normal": "normal", "uniform": "uniform", "coin": "coin"},
        inputs=KEYED,
    )
    key = jax.random.key(1)
    expected = {
        "normal": jax.random.normal(fold(key, "normal"), (6, 2)),
        "uniform": jax.random.uniform(fold(key, "uniform"), (3,), minval=-1, maxval=2),
        "coin": jax.random.bernoulli(fold(key, "coin"), 0.25, (9,)),
    }
    assert_close(run(model, {}, x, key)[0], expected)


def test_dropout_beside_layers_that_have_parameters() -> None:
    block = fn(
        {"up": linear(), "drop": dropout("up"), "out": linear("drop")},
        inputs={"x": {}, "key": KEY},
    )
    model = graph(
        {"rng": RNG, "h": repeat("block", scan=True, inputs={"key": "rng"})},
        functions={"block": block},
    )
    params = bx.init(model, jax.random.key(0))
    found, _ = run(model, params, x, train=True)
    key, y = start(params), np.asarray(x)
    for i in range(3):
        own = jax.tree.map(lambda a, i=i: np.asarray(a[i]), params["h"])
        y = y @ own["up"]["kernel"] + own["up"]["bias"]
        y = dropped(y, key, "h", i, "drop")
        y = y @ own["out"]["kernel"] + own["out"]["bias"]
    assert_close(found, y)


@pytest.mark.parametrize("how", ["scan", "map", "unrolled", "scanned"])
def test_keys_as_xs_are_those_of_the_steps(how: str) -> None:
    part = fn({"drop": dropout()}, inputs={"x": {}, "key": KEY})
    loop: Data = {"function": "part", "xs": {"key": "keys"}}
    if how == "map":
        loop |= {"op": "map", "inputs": {"x": "x"}}
    elif how == "scan":
        loop |= {"op": "scan", "carry": {"x": "x"}}
    else:
        loop |= {"op": "repeat", "count": 2, "scan": how == "scanned"}
        loop |= {"carry": {"x": "x"}}
    model = graph(
        {"h": loop},
        inputs={**X, "keys": {"shape": ["n"], "dtype": "key"}},
        functions={"part": part},
    )
    keys = jax.random.split(jax.random.key(0), 2)
    found, _ = run(model, bx.init(model, keys[0]), x, keys)
    each = [dropped(x, key, "drop") for key in keys]
    expected = np.stack(each) if how == "map" else dropped(each[0], keys[1], "drop")
    assert_close(found, expected)
