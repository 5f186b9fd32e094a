"""Recurrent networks over time: those of torch_layers.safetensors, with their gradients.

`tests/parity/ops/torch_cells.py` writes that file, and the parity run what it has.
"""

from __future__ import annotations

import json
from functools import partial
from inspect import Parameter, Signature
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from generated_files import assert_same_program
from safetensors import safe_open

import blox as bx
from blox.schema import Graph

FILE = Path(__file__).with_name("torch_layers.safetensors")


def cases() -> list[Any]:
    result = []
    with safe_open(FILE, framework="numpy") as file:
        for number, text in sorted(file.metadata().items()):
            keys = [k for k in file.keys() if k.startswith(f"{number}.")]  # noqa: SIM118
            arrays = {k.removeprefix(f"{number}."): file.get_tensor(k) for k in keys}
            options = json.loads(text)["spec"]
            kind = options.pop("op")
            result.append(pytest.param(kind, options, arrays, id=f"{number}-{kind}"))
    return result


def network(kind: str, given: dict[str, Any], **options: Any) -> Graph:
    b = bx.GraphBuilder("net")
    shapes: dict[str, list[int | str]] = {
        "x": ["batch", "seq", 4],
        "lengths": ["batch"],
    }
    units, count = options["units"], options.get("layers", 1)
    ends = count * (1 + options.get("bidirectional", False))
    inputs = {
        name: bx.Input(
            shapes.get(name, ["batch", ends, units]),
            "int32" if name == "lengths" else "float",
        )
        for name in given
    }

    run = getattr(bx.recipes, kind)

    def main(f: bx.F, *values: bx.Value) -> Any:
        return f.call("net", run)(**dict(zip(given, values, strict=True)), **options)

    ours = [Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in ("f", *given)]
    main.__signature__ = Signature(ours)  # type: ignore[attr-defined]
    b.entry(main, **inputs)
    return b.graph()


def nested(arrays: dict[str, Any]) -> Any:
    tree: dict[str, Any] = {}
    for path, array in arrays.items():
        *folders, name = path.split(".")
        at = tree
        for folder in folders:
            at = at.setdefault(folder, {})
        at[name] = array
    return {"net": tree}


@pytest.mark.parametrize(("kind", "options", "arrays"), cases())
def test_as_torch(kind: str, options: dict[str, Any], arrays: dict[str, Any]) -> None:
    names = [n for n in ("x", "h", "c", "lengths") if n in arrays]
    graph = network(kind, dict.fromkeys(names), **options)
    weights = {n: a for n, a in arrays.items() if n.startswith("layer_")}
    model = bx.build(graph)
    lengths = {n: arrays[n] for n in names if n == "lengths"}
    floats = {n: arrays[n] for n in names if n != "lengths"}

    def loss(weights: Any, floats: Any) -> Any:
        found, _ = model(nested(weights), **floats, **lengths)
        found = [found[n] for n in ("y", "h", "c") if n in found]
        return sum(
            (y * jnp.cos(jnp.arange(y.size)).reshape(y.shape)).sum() for y in found
        ), found

    run = jax.jit(jax.grad(loss, (0, 1), has_aux=True))
    slopes, found = run(weights, floats)
    close = partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-5)
    for i, y in enumerate(found):
        close(y, arrays[f"out{i}"], err_msg=f"out{i}")
    for name, slope in (slopes[0] | slopes[1]).items():
        close(slope, arrays[f"slope.{name}"], err_msg=name)
    assert {n.removeprefix("slope.") for n in arrays if n.startswith("slope.")} == {
        *weights,
        *floats,
    }
    assert_same_program(graph, bx.generate(graph))


@pytest.mark.parametrize("kind", ["lstm", "gru", "simple_rnn"])
def test_from_the_last_step_to_the_first(kind: str) -> None:
    forth = network(kind, {"x": None}, units=3)
    back = network(kind, {"x": None}, units=3, reverse=True)
    params = bx.init(forth, jax.random.key(0))
    turned = {"net": {"layer_0_reverse": params["net"]["layer_0"]}}
    x = jax.random.normal(jax.random.key(1), (2, 5, 4))
    found, _ = bx.build(back)(turned, x)
    wanted, _ = bx.build(forth)(params, x[:, ::-1])
    np.testing.assert_allclose(found["y"], wanted["y"][:, ::-1], 1e-6, 1e-6)
    np.testing.assert_allclose(found["h"], wanted["h"], 1e-6, 1e-6)


def test_half_a_state_is_refused() -> None:
    with pytest.raises(bx.SpecError, match="expected h and c together"):
        network("lstm", {"x": None, "h": None}, units=3)


def test_two_ways_at_once_are_refused() -> None:
    with pytest.raises(bx.SpecError, match="expected one of bidirectional and reverse"):
        network("gru", {"x": None}, units=3, bidirectional=True, reverse=True)
