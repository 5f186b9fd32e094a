"""Inputs: their dtypes, sizes that agree, bounds and constraints."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from runtime.calling import (
    WIDTH,
    fn,
    graph,
    node,
    ones,
)
from runtime.messages import message

import blox as bx


def typed(**inputs: Any) -> Any:
    """The entry of a model with these inputs, which returns the last."""
    made = {n: {"shape": s, "dtype": d} for n, (s, d) in inputs.items()}
    return bx.build(graph({}, {"out": next(reversed(inputs))}, inputs=made))


def test_keys_and_integers() -> None:
    keyed = typed(key=([], "key"), x=(["n"], "int32"))
    n = jnp.arange(3)
    hint = "; jax.random.key(0) makes one, jax.random.wrap_key_data of raw data"
    assert message(keyed, {}, jax.random.key_data(jax.random.key(0)), n) == (
        f"main.key: expected a key, found uint32[2]{hint}"
    )
    keys = jax.random.split(jax.random.key(0), 2)
    assert message(keyed, {}, keys, n) == "main.key: expected shape [], found [2]"
    assert message(keyed, {}, 0, n) == f"main.key: expected a key, found int32[]{hint}"
    assert message(keyed, {}, "0", n) == f"main.key: expected a key, found str{hint}"
    plain = typed(x=(["n"], "int32"))
    assert message(plain, {}, n.astype("uint8")) == (
        'main.x: expected dtype int32, found uint8; cast it: x.astype("int32")'
    )
    assert message(plain, {}, np.ones(3)) == (
        'main.x: expected dtype int32, found float32; cast it: x.astype("int32")'
    )


def test_numpy_and_python_numbers_are_as_under_jit() -> None:
    ids = typed(scale=([], "float"), x=(["n"], "int32"))
    for values in (np.arange(3), np.arange(3, dtype=np.int32), [0, 1, 2]):
        found, _ = ids({}, 0.5, values)
        assert found.dtype == jnp.int32
    assert typed(x=(["n"], "float"))({}, np.ones(3))[0].dtype == jnp.float32
    with jax.enable_x64(True):
        position = typed(x=([], "int32"))
        assert position({}, 3)[0].dtype == jnp.int32
        assert jax.eval_shape(position, {}, 3)[0].dtype == jnp.int32
        assert message(ids, {}, 0.5, np.arange(3)) == (
            'main.x: expected dtype int32, found int64; cast it: x.astype("int32")'
        )


def test_dims_agree_across_inputs() -> None:
    model = typed(
        x=(["batch", "n"], "float"),
        y=(["...", "n"], "float"),
        z=(["$2 * batch"], "float"),
    )
    z = ones(4)
    model({}, ones(2, 3), ones(7, 5, 3), z)
    assert message(model, {}, ones(2, 3), ones(2), z) == (
        "main.y: expected shape [..., n], found [2], where n is 3 elsewhere"
    )
    assert message(model, {}, ones(2, 3), ones(3), ones(5)) == (
        "main.z: expected shape [$2 * batch], found [5], where $2 * batch is 4"
    )
    assert message(model, {}, ones(2, 3), jnp.float32(1), z) == (
        "main.y: expected shape [..., n], found []"
    )


def test_a_size_may_depend_on_a_dim_of_a_later_input() -> None:
    model = typed(x=(["$n + 1"], "float"), y=(["n"], "float"))
    model({}, ones(4), ones(3))
    assert message(model, {}, ones(3), ones(3)) == (
        "main.x: expected shape [$n + 1], found [3], where $n + 1 is 4"
    )
    division = typed(x=(["n"], "float"), y=(["$4 // n"], "float"))
    assert message(division, {}, ones(0), ones(0)) == (
        "main.y: expected shape [$4 // n], found [0]: division by zero"
    )


def test_bounds_and_constraints() -> None:
    model = graph(
        {"y": node("negative")},
        inputs={
            "x": {"shape": ["batch", "seq"], "dtype": "float"},
            "c": {"shape": ["cached"], "dtype": "float", "optional": False},
        },
        attributes={"context": 12},
        dims={"seq": {"min": 2, "max": "$context", "multiple_of": 2}},
        constraints=["cached >= seq", "batch * seq < 2 * context"],
    )
    built = bx.build(model)
    built({}, ones(1, 4), ones(4))
    cases = [
        ((1, 0), 9, ["main.seq: expected at least 2, found 0"]),
        ((1, 14), 20, ["main.seq: expected at most 12, found 14"]),
        ((1, 5), 9, ["main.seq: expected a multiple of 2, found 5"]),
        ((1, 4), 3, ["main: expected cached >= seq, found cached 3, seq 4"]),
        (
            (9, 13),
            1,
            [
                "main.seq: expected at most 12, found 13",
                "main.seq: expected a multiple of 2, found 13",
                "main: expected cached >= seq, found cached 1, seq 13",
                "main: expected batch * seq < 2 * context, found batch 9, seq 13",
            ],
        ),
    ]
    for shape, cached, lines in cases:
        found = message(built, {}, jnp.zeros(shape), ones(cached))
        assert found.splitlines() == lines


def test_constraints_of_other_entries_are_not_asked() -> None:
    model = graph(
        {"y": node("negative")},
        entries=["main", "other"],
        functions={
            "other": fn(
                {"y": node("negative")},
                inputs={"x": {"shape": ["n", "m"], "dtype": "float"}},
            )
        },
        constraints=["n > m"],
        dims={"m": {"min": 3}},
    )
    bx.build(model)({}, ones(3, WIDTH))
    assert message(bx.build(model, "other"), {}, ones(2, 2)).splitlines() == [
        "main.m: expected at least 3, found 2".replace("main", "other"),
        "other: expected n > m, found n 2, m 2",
    ]


def test_an_option_of_build_given_to_a_call() -> None:
    model = typed(x=([], "float32"))
    with pytest.raises(bx.ModelError) as error:
        model({}, train=True)
    assert "main.train: no such input; bx.build(graph, train=True) is another" in str(
        error.value
    )
