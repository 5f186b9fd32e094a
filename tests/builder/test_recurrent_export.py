"""Recurrent recipes over a time axis of any length: exported once, called with several."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from generated_files import executed
from jax import export

import blox as bx
from blox.schema import Graph

UNITS = 3
RECIPES: dict[str, Any] = {
    "lstm": bx.recipes.lstm,
    "gru": bx.recipes.gru,
    "rnn": bx.recipes.simple_rnn,
}


def network(kind: str, **options: Any) -> Graph:
    b = bx.GraphBuilder(f"{kind}_net")

    @b.entry(
        x=bx.Input(["batch", "time", 4]), lengths=bx.Input(["batch"], dtype="int32")
    )
    def main(f: bx.F, x: bx.Value, lengths: bx.Value) -> Any:
        def run(f: bx.F, x: bx.Value, lengths: bx.Value) -> Any:
            return RECIPES[kind](f, x, lengths=lengths, units=UNITS, **options)

        return f.call("net", run)(x, lengths)

    return b.graph()


def one_row(model: Any, params: Any, x: Any, length: int) -> Any:
    """What a row of `length` steps gives by itself, with zeros behind them."""
    found, _ = model(params, x[None, :length], jnp.array([length]))
    y = np.zeros((x.shape[0], found["y"].shape[-1]), np.float32)
    y[:length] = found["y"][0]
    return {**{n: np.asarray(a[0]) for n, a in found.items()}, "y": y}


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("lstm", {"bidirectional": True}),
        ("gru", {"reverse": True}),
        ("rnn", {"reverse": True}),
    ],
)
def test_lengths_of_a_symbolic_time_axis(kind: str, options: dict[str, Any]) -> None:
    graph = network(kind, **options)
    params = bx.init(graph, jax.random.key(0))
    model = bx.build(graph)
    batch, time = export.symbolic_shape("batch, time")
    shapes = (
        jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), params),
        jax.ShapeDtypeStruct((batch, time, 4), jnp.float32),
        jax.ShapeDtypeStruct((batch,), jnp.int32),
    )
    theirs = executed(bx.generate(graph))[graph.name]
    ours = export.export(jax.jit(lambda *args: model(*args)[0]))(*shapes)
    file = export.export(jax.jit(theirs))(*shapes)
    for steps in (2, 5):
        x = jax.random.normal(jax.random.key(steps), (2, steps, 4))
        lengths = jnp.array([steps, 1])
        rows = [
            one_row(model, params, r, int(n)) for r, n in zip(x, lengths, strict=True)
        ]
        for exported in (ours, file):
            found: Any = exported.call(params, x, lengths)
            for name, array in found.items():
                wanted = np.stack([row[name] for row in rows])
                np.testing.assert_allclose(array, wanted, 1e-5, 1e-6, err_msg=name)
