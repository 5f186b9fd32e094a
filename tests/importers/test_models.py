"""Whole models in plain JAX: numbers, and the file that is generated of each."""

from __future__ import annotations

from pathlib import Path

import jax
import numpy as np
import pytest
from importers.models.plain import MODELS

import blox as bx
from blox.importers.proof import random_inputs, sizes_of

GOLDEN = Path(__file__).parents[1] / "golden" / "imported"
"""Written by `python tests/importers/write_golden.py`."""


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_imported_as_it_is_written_down(name: str) -> None:
    model = MODELS[name]
    graph, params, origin = bx.from_jax(
        model.function, model.inputs, model.params, name=name, check=False
    )
    written = (GOLDEN / f"{name}.py").read_text(encoding="utf-8")
    assert bx.generate(graph).splitlines()[3:] == written.splitlines()[3:]
    sizes = next(sizes_of(model.inputs, model.dims))
    given = list(random_inputs(model.inputs, sizes, 1, "float32"))
    found = jax.jit(bx.build(graph))(params, *given)[0]
    wanted = jax.jit(model.function)(model.params, *given)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
    back = origin.export(params)
    jax.tree.map(np.testing.assert_array_equal, back, model.params)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_values_and_gradients_are_those_of_the_source(name: str) -> None:
    model = MODELS[name]
    _, _, origin = bx.from_jax(model.function, model.inputs, model.params, name=name)
    assert origin.report.greatest <= 1e-5, str(origin.report)
