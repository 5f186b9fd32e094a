"""What the arrays of modules of Equinox are called: those of `eqx.nn.State` lie at the layer
that keeps its index."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import equinox as eqx  # pyright: ignore[reportMissingImports]
import jax

from ...trace import Path
from .paths import path_of


def is_state(tree: Any) -> bool:
    return isinstance(tree, eqx.nn.State)


def names_of(tree: Any) -> list[tuple[Path, bool]]:
    """The path of each array of a tree with modules, and whether it is state, in the order
    in which JAX flattens it. The place of the one module beside a State is left out."""
    alone = (
        isinstance(tree, tuple) and [is_state(part) for part in tree].count(False) == 1
    )
    cut = 1 if alone and any(map(is_state, tree)) else 0
    places = dict(_indexed(tree, cut))
    found: list[tuple[Path, bool]] = []
    every = jax.tree_util.tree_flatten_with_path(tree, is_leaf=is_state)[0]
    for keys, leaf in every:
        path = path_of(keys)
        if is_state(leaf):
            inner = jax.tree_util.tree_flatten_with_path(leaf)[0]
            state = [
                places.get((id(leaf), place), (*path, *path_of(k)))
                for place, (k, _) in enumerate(inner)
            ]
            found += [(p, True) for p in state]
        elif eqx.is_array(leaf):
            found.append((path[cut:], False))
    return found


def _indexed(tree: Any, cut: int) -> Iterator[tuple[tuple[int, int], Path]]:
    """Where the arrays of States lie, each by its State and its place there: below the
    layers' indices."""

    def is_index(part: Any) -> bool:
        return isinstance(part, eqx.nn.StateIndex)

    states = [s for s in jax.tree.leaves(tree, is_leaf=is_state) if is_state(s)]
    every = jax.tree_util.tree_flatten_with_path(tree, is_leaf=is_index)[0]
    for state in states:
        arrays, structure = jax.tree.flatten(state)
        numbered = jax.tree.unflatten(structure, range(len(arrays)))
        for keys, index in every:
            if not is_index(index):
                continue
            value = numbered.get(index)
            for inner, place in jax.tree_util.tree_flatten_with_path(value)[0]:
                path = (*path_of(keys), *path_of(inner))
                yield (id(state), place), _named(tree, keys, path)[cut:]


NAMES: Mapping[Path, str] = {
    ("ema_first_time_index",): "first",
    ("ema_state_index", 0): "mean",
    ("ema_state_index", 1): "var",
    ("batch_counter",): "count",
    ("batch_state_index", 0): "mean",
    ("batch_state_index", 1): "var",
    ("uv_index", 0): "u",
    ("uv_index", 1): "v",
}
"""What the norms keep."""


def _named(tree: Any, keys: Sequence[Any], path: Path) -> Path:
    """The path of what a layer keeps: of norms with the names that the field has."""
    owner = tree
    for key in keys[:-1]:
        name = getattr(key, "name", None)
        place = getattr(key, "idx", getattr(key, "key", None))
        owner = owner[place] if name is None else getattr(owner, name)
    own = path[len(keys) - 1 :]
    known = isinstance(owner, (eqx.nn.BatchNorm, eqx.nn.SpectralNorm))
    return (*path[: len(keys) - 1], NAMES[own]) if known and own in NAMES else path
