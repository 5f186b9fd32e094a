"""Kernels that a cell has gate by gate are one array of the Graph, and return to theirs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from imported import ops

import blox as bx
from blox.importers.jax.frontends.memories import lstm_cell

RNG = np.random.default_rng(0)
INPUTS = {"xs": bx.Input(["batch", "time", 5])}
XS = jnp.asarray(RNG.normal(size=(2, 4, 5)), "float32")
GATES = "ifgo"
Cell = Callable[..., Any]


def plain(x: Any, h: Any, c: Any, kernel: Any, recurrent: Any, bias: Any) -> Any:
    i, f, g, o = jnp.split(x @ kernel + h @ recurrent + bias, 4, axis=-1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


def gates() -> dict[str, Any]:
    sizes = {"w": (5, 5), "u": (5, 5), "b": (5,)}
    return {
        gate: {n: jnp.asarray(RNG.normal(size=s), "float32") for n, s in sizes.items()}
        for gate in GATES
    }


def step(cell: Cell, params: Any, x: Any, h: Any, c: Any) -> Any:
    kernels = (
        jnp.concatenate([params[gate][name] for gate in GATES], axis=-1)
        for name in ("w", "u", "b")
    )
    return cell(x, h, c, *kernels)


def read(cell: Cell, params: Any, xs: Any) -> Any:
    def next_step(carry: Any, x: Any) -> Any:
        h, c = step(cell, params["cell"], x, *carry)
        return (h, c), h

    start = jnp.zeros((xs.shape[0], 5))
    return jax.lax.scan(next_step, (start, start), jnp.swapaxes(xs, 0, 1))[1]


def layers(cell: Cell, params: Any, xs: Any) -> Any:
    x = h = c = xs[:, 0]
    for own in params:
        x, c = step(cell, own, x, h, c)
        h = x
    return x


def twice(cell: Cell, params: Any, xs: Any) -> Any:
    start = jnp.zeros((xs.shape[0], 5))
    h, c = step(cell, params, xs[:, 0], start, start)
    return step(cell, params, xs[:, 1], h, c)[0]


def imported(call: Callable[[Cell, Any, Any], Any], params: Any) -> Any:
    """Graph, Params and Origin, which give the numbers of the source, when changed too."""
    graph, arrays, origin = bx.from_jax(
        lambda p, xs: call(lstm_cell, p, xs), INPUTS, params, name="model", check=False
    )
    moved = jax.tree.map(lambda a: a * 0.5 + 0.25, arrays)
    back = origin.export(moved)
    jax.tree.map(
        lambda a, b: np.testing.assert_array_equal(a, b * 0.5 + 0.25), back, params
    )
    found = bx.build(graph)(moved, XS)[0]
    np.testing.assert_allclose(found, call(plain, back, XS), rtol=1e-5, atol=1e-5)
    return graph, moved, origin


def test_gates_of_a_cell_are_one_array(tmp_path: Path) -> None:
    params = {"cell": gates()}
    graph, moved, origin = imported(read, params)
    assert "concatenate" not in ops(graph)
    assert set(moved["cell"]) == {"kernel", "recurrent_kernel", "bias"}
    bx.save(tmp_path, graph, moved, origin=origin)
    again = bx.load_origin(tmp_path).export(moved, like=params)
    jax.tree.map(np.testing.assert_array_equal, again, origin.export(moved))


def test_cells_of_layers_are_a_repeat() -> None:
    graph, _, _ = imported(layers, [gates() for _ in range(3)])
    assert ops(graph).count("lstm_cell") == 1
    assert "repeat" in ops(graph)


def test_a_cell_that_is_called_twice_has_its_arrays_once() -> None:
    graph, moved, _ = imported(twice, gates())
    assert "concatenate" not in ops(graph)
    assert len(jax.tree.leaves(moved)) == 3


@pytest.mark.parametrize("used", ["i", "o"])
def test_an_array_that_something_else_uses_stays_alone(used: str) -> None:
    def call(cell: Cell, params: Any, xs: Any) -> Any:
        return read(cell, params, xs) @ params["cell"][used]["u"]

    graph, _, _ = imported(call, {"cell": gates()})
    assert ops(graph).count("concatenate") == 1
