"""The small model of the examples, and the codes that a call gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax.numpy as jnp
from sample_specs import RELU, spec

import blox as bx
from blox.schema import Diagnostic, Graph

BASE: dict[str, Any] = spec({"n": RELU})
LINEAR = {"op": "linear", "x": "x", "in_features": 8, "out_features": 2}
MODEL = Graph.parse(spec({"n": LINEAR}))
PARAMS = {"n": {"kernel": jnp.ones((8, 2)), "bias": jnp.ones(2)}}
X = jnp.ones((3, 8))


def codes(call: Callable[[], Any]) -> set[str]:
    """The codes of what a call raises, or of the findings that it returns."""
    try:
        found = call()
        return set() if found is None else {d.code for d in found}
    except bx.BloxError as error:
        return {d.code for d in error.diagnostics}


def graph(data: dict[str, Any]) -> Iterator[Diagnostic]:
    yield from bx.validate(Graph.parse(data))


def in_turn(*calls: Callable[[Path], Any]) -> Callable[[Path], Any]:
    """Calls one after another; what the last one returns."""
    return lambda path: [call(path) for call in calls][-1]


def save(path: Path, params: Any = PARAMS, **given: Any) -> None:
    bx.save(path, MODEL, params, **given)


def saved(change: Callable[[Path], Any], **given: Any) -> Callable[[Path], Any]:
    """The load of a model whose folder was changed."""

    def load(path: Path) -> Any:
        bx.save(path, MODEL, PARAMS, **given)
        change(path)
        bx.load(path)

    return load
