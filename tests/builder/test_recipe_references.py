"""Recipes give the numbers and gradients of PyTorch's and transformers' modules.

`tests/parity/ops/torch_sequence_recipes.py` and those of the other names write the files,
and the parity run what they have.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
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

FILES = ("torch_sequence_recipes", "torch_image_recipes", "torch_expert_recipes")
TABLES = ("cos", "sin")
"""Inputs without a batch."""


def cases() -> list[Any]:
    """Those behind the first of a recipe are `slow`."""
    result, seen = [], set()
    for name in FILES:
        path = Path(__file__).with_name(f"{name}.safetensors")
        with safe_open(path, framework="numpy") as file:
            for number, text in sorted(
                file.metadata().items(), key=lambda p: int(p[0])
            ):
                keys = [k for k in file.keys() if k.startswith(f"{number}.")]  # noqa: SIM118
                found = {k.partition(".")[2]: file.get_tensor(k) for k in keys}
                options = json.loads(text)["spec"]
                kind = options.pop("op")
                marks = [pytest.mark.slow] if kind in seen else []
                seen.add(kind)
                title = f"{kind}-{number}"
                result.append(pytest.param(kind, options, found, id=title, marks=marks))
    return result


CASES = cases()


def network(
    kind: str, given: dict[str, Any], options: dict[str, Any], lead: str = "batch"
) -> Graph:
    """A model that is the recipe, of inputs like those that are given."""
    b = bx.GraphBuilder("model")
    inputs = {}
    for name, array in given.items():
        batch = () if name in TABLES else (lead,)
        shape = [*batch, *array.shape[len(batch) :]]
        inputs[name] = bx.Input(shape, "bool" if array.dtype == bool else "float")

    def main(f: bx.F, *values: bx.Value) -> Any:
        run = f.call("net", getattr(bx.recipes, kind))
        y = run(**dict(zip(given, values, strict=True)), **options)
        return y["y"] if isinstance(y, Mapping) else y

    ours = [Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in ("f", *given)]
    main.__signature__ = Signature(ours)  # type: ignore[attr-defined]
    b.entry(main, **inputs)
    return b.graph()


def nested(arrays: dict[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path, array in arrays.items():
        *folders, name = path.split(".")
        at = tree
        for folder in folders:
            at = at.setdefault(folder, {})
        at[name] = array
    return tree


def parts(found: dict[str, Any]) -> tuple[Any, Any, Any]:
    """Inputs, parameters by path, gradients."""
    slopes = {
        n.removeprefix("slope."): a for n, a in found.items() if n[:6] == "slope."
    }
    given = {n: a for n, a in found.items() if n[:6] != "slope." and n != "out0"}
    inputs = {n: a for n, a in given.items() if "." not in n}
    return inputs, {n: a for n, a in given.items() if "." in n}, slopes


@pytest.mark.parametrize(("kind", "options", "found"), CASES)
def test_as_torch(kind: str, options: dict[str, Any], found: dict[str, Any]) -> None:
    inputs, weights, slopes = parts(found)
    graph = network(kind, inputs, options)
    assert graph.program().leaves().keys() == weights.keys()
    model = bx.build(graph)
    learned = {n: a for n, a in (inputs | weights).items() if n in slopes}

    def loss(learned: dict[str, Any]) -> Any:
        arrays = inputs | weights | learned
        params = nested({n: arrays[n] for n in weights})
        y, _ = model(params, **{n: arrays[n] for n in inputs})
        return (y * jnp.cos(jnp.arange(y.size)).reshape(y.shape)).sum(), y

    ours, y = jax.jit(jax.grad(loss, has_aux=True))(learned)
    close = partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-5)
    close(y, found["out0"])
    for name, slope in ours.items():
        close(slope, slopes[name], err_msg=name)
    assert len(ours) == len(slopes)
    assert_same_program(graph, bx.generate(graph))


@pytest.mark.parametrize(
    ("kind", "options", "found"),
    [c for c in CASES if c.values[0] == "multi_head_attention"],
)
def test_attention_with_dropout_is_the_same_without_a_key(
    kind: str, options: dict[str, Any], found: dict[str, Any]
) -> None:
    """It is written in small ops then."""
    inputs, weights, _ = parts(found)
    graph = network(kind, inputs, options | {"dropout": 0.5})
    y, _ = bx.build(graph)(nested(weights), **inputs)
    np.testing.assert_allclose(y, found["out0"], 1e-5, 1e-5)


@pytest.mark.parametrize(
    ("kind", "options", "found"), [c for c in CASES if not c.marks]
)
def test_any_leading_axes(
    kind: str, options: dict[str, Any], found: dict[str, Any]
) -> None:
    inputs, weights, _ = parts(found)
    model = bx.build(network(kind, inputs, options, "..."))
    for lead in ((), (2, 3)):
        given = {
            n: a if n in TABLES else np.broadcast_to(a[0], (*lead, *a.shape[1:]))
            for n, a in inputs.items()
        }
        y = jax.eval_shape(lambda p, x: model(p, **x)[0], nested(weights), given)
        assert y.shape == (*lead, *found["out0"].shape[1:])
