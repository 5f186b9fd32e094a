"""Params that are given: refused where the Graph lacks them, or has them otherwise."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np

from blox.schema import ModelError
from blox.schema.diagnostics import Diagnostic
from blox.schema.resolve.program import Program
from blox.schema.resolve.trees import Tree

from .context import lacking

_LACKS = "expected an array of the Graph, found one that it lacks"


def flat(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """(path, array) of nested dicts and lists; None is no array."""
    if isinstance(tree, (Mapping, list)):
        items = tree.items() if isinstance(tree, Mapping) else enumerate(tree)
        for name, part in items:
            yield from flat(part, f"{path}.{name}" if path else str(name))
    elif tree is not None:
        yield path, tree


def refuse_given(program: Program, given: Mapping[str, Any]) -> None:
    """Refuses arrays, by path, that the Graph lacks or has otherwise.

    Raises:
        ModelError: every one of them.
    """
    leaves = program.leaves()
    faults: list[Diagnostic] = []
    for path, array in given.items():
        leaf = leaves.get(path)
        if leaf is None:
            few = len(faults) < 3 and len(leaves) < 5_000
            near = difflib.get_close_matches(path, leaves, 1) if few else []
            hint = f"did you mean {near[0]}?" if near else ""
            faults.append(Diagnostic("params", path, _LACKS, hint))
        elif jnp.shape(array) != tuple(leaf.full_shape):
            shapes = [list(s) for s in (leaf.full_shape, jnp.shape(array))]
            text = "expected shape {}, found {}".format(*shapes)
            faults.append(Diagnostic("params", path, text))
        elif not _is_of(array, leaf.dtype):
            text = f"expected dtype {leaf.dtype}, found {_dtype_of(array)}"
            faults.append(Diagnostic("params", path, text))
    if faults:
        raise ModelError(faults)


def _dtype_of(array: Any) -> Any:
    return getattr(array, "dtype", None) or np.asarray(array).dtype


def _is_of(array: Any, wanted: str) -> bool:
    dtype = _dtype_of(array)
    floating: bool = jnp.issubdtype(dtype, jnp.floating)
    return floating if wanted == "float" else str(dtype) == wanted


def refuse_unknown(tree: Tree, params: Any) -> None:
    """Refuses Params with arrays that the tree of a Graph lacks, whatever uses them.

    Raises:
        ModelError: every such array; of a part that the tree lacks, the first.
    """
    if faults := [*_unknown(tree, params, "")]:
        raise ModelError(faults)


def _unknown(tree: Tree, params: Any, path: str) -> Iterator[Diagnostic]:
    """The parts of Params that have no place in a tree.

    What a tree has, and Params lack or have otherwise, is left to the node that reads it.
    """
    if isinstance(tree, list) and isinstance(params, list):
        if len(params) > len(tree):
            found = lacking(params, f"a list of {len(tree)}").diagnostics[0]
            yield replace(found, path=path)
        for i, (known, part) in enumerate(zip(tree, params, strict=False)):
            yield from _unknown(known, part, f"{path}.{i}")
    if not isinstance(tree, dict) or not isinstance(params, dict):
        return
    for name, part in params.items():
        inner = f"{path}.{name}" if path else str(name)
        if name in tree:
            yield from _unknown(tree[name], part, inner)
        elif array := next(flat(part, inner), None):
            missing = [n for n in tree if n not in params]
            near = difflib.get_close_matches(str(name), missing, 1)
            hint = f"did you mean {near[0]} for {name}?" if near else "leave it out"
            yield Diagnostic("params", array[0], _LACKS, hint)
