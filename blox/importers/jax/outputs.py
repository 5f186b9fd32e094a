"""What a model gives: arrays by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

import blox as bx
from blox.schema.diagnostics import Diagnostic, bounded, quote

from ..regions import fresh, identifier
from .frontends.paths import path_of


def named_outputs(outputs: Any) -> dict[str, Any]:
    """The arrays of what a model gives, by name: `out`, `out_0` of tuples, keys of dicts."""
    flattened = jax.tree_util.tree_flatten_with_path
    if type(outputs) is dict:  # in the order in which the model has them
        each = [flattened({key: part})[0] for key, part in outputs.items()]
        leaves = [leaf for found in each for leaf in found]
    else:
        leaves = flattened(outputs)[0]
    if len(leaves) == 1 and not leaves[0][0]:
        return {"out": leaves[0][1]}
    found: dict[str, Any] = {}
    for keys, array in leaves:
        parts = [identifier(p) if isinstance(p, str) else f"{p}" for p in path_of(keys)]
        name = "_".join(parts)
        name = name if name[:1].isalpha() else f"out_{name}"
        found[fresh(found, name)] = array
    return found


def require_outputs(outputs: Mapping[str, Any], model: str) -> None:
    """Refuses outputs of a model that are no arrays, all of them.

    Raises:
        SpecError: one is none, or there is none.
    """
    if not outputs:
        raise bx.SpecError.one(
            "import-model",
            model,
            "expected an output, found none: it returns nothing with an array",
            "return what it computes",
        )
    strange = (
        Diagnostic(
            "import-model",
            name,
            f"expected an array as output of {model}, found {quote(value)}",
            "return arrays alone, in dicts, lists and tuples",
        )
        for name, value in outputs.items()
        if not _is_array(value)
    )
    if listed := bounded(strange):
        raise bx.SpecError(listed)


def _is_array(value: Any) -> bool:
    try:
        jnp.asarray(value)
    except (TypeError, ValueError):
        return False
    return True
