"""Models of the libraries that keep arrays: caches that are fed back, and statistics that
training updates."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from generated_files import assert_same_program
from importers.agreement import quick
from parity.importers.stateful import CLASSIFIERS, KEPT, SAID, TEXT, TRANSLATORS, Whole
from parity.importers.stateful import imported as imported_of
from parity.importers.test_golden import golden

import blox as bx
from blox.importers.jax.opened import opened
from blox.schema.resolve.resolver import validate

pytestmark = pytest.mark.parity


@cache
def imported(name: str) -> tuple[Whole, Any]:
    whole = KEPT[name]()
    return whole, imported_of(name, whole, check=False)


def close(found: Any, wanted: Any, what: str = "") -> None:
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5, err_msg=what)


@pytest.mark.parametrize("name", KEPT)
def test_it_is_imported_as_it_is_written_down(name: str) -> None:
    _, (graph, _, _) = imported(name)
    assert not list(validate(graph))
    source = bx.generate(graph)
    assert source.splitlines()[3:] == golden(name)[3:]
    assert_same_program(graph, source)


@pytest.mark.parametrize("name", TRANSLATORS)
def test_it_decodes_with_its_caches_as_the_source_does(name: str) -> None:
    whole, (graph, params, origin) = imported(name)
    model, run = origin.export(params), quick(bx.build(graph))
    kept = whole.nothing(graph)
    for step in range(3):
        token = (SAID + step).reshape([2, 1][: len(whole.inputs["token"].shape)])
        wanted, model = whole.run(model, False, TEXT, token)
        found, state = run(params, TEXT, token, *kept.values())
        close(found["out"], wanted, f"step {step}")
        assert not state
        kept = {cached: found[cached] for cached in kept}


def loss(out: Any) -> Any:
    return jnp.mean(jnp.sin(out))


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_training_updates_what_the_source_updates(name: str) -> None:
    """Values, gradients and all that it keeps, in the first step and the second."""
    whole, (graph, params, origin) = imported(name)
    built = bx.build(graph, train=True)
    start = opened(origin.export(params))

    def ours(trained: Any, fixed: Any, images: Any) -> Any:
        out, state = built(bx.merge(trained, fixed), images)
        return loss(out), (out, state)

    def theirs(arrays: Any, images: Any) -> Any:
        out, after = whole.run(
            start.rebuilt([arrays[path] for path in start.arrays]), True, images
        )
        return loss(out), (out, dict(opened(after).arrays))

    trained, fixed = bx.split(graph, params)
    more = bx.merge(jax.tree.map(lambda array: array + 1, trained), fixed)
    own = [
        path
        for path, array in opened(origin.export(more)).arrays.items()
        if not np.array_equal(array, start.arrays[path])
    ]
    run, source = _slopes(ours), _slopes(theirs, allow_int=True)
    arrays = dict(start.arrays)
    sizes = whole.inputs["images"].shape
    shape = [3 if size == "batch" else int(size) for size in sizes]
    for step in range(2):
        images = jax.random.normal(jax.random.key(step), shape)
        trained, fixed = bx.split(graph, params)
        (_, (found, state)), slopes = run(trained, fixed, images)
        (_, (wanted, after)), other = source(arrays, images)
        close(found, wanted)
        there = opened(origin.export(bx.merge(params, slopes))).arrays
        for path in own:
            close(there[path], other[path], path)
        params, arrays = bx.merge(params, state), after
        back = opened(origin.export(params)).arrays
        for path, array in after.items():
            close(back[path], array, path)


def _slopes(function: Callable[..., Any], **options: Any) -> Any:
    return quick(jax.value_and_grad(function, has_aux=True, **options))
