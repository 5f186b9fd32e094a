"""The arrays of what a user has, a module or a tree, and the same with other arrays."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from blox.mapping.reading import is_array

from ..array_names import by_name
from .frontends.paths import path_of


@dataclass(frozen=True)
class Opened:
    """What holds arrays.

    Args:
        arrays: by name.
        rebuilt: the same with others, in the order of these.
    """

    arrays: Mapping[str, Any]
    rebuilt: Callable[[Sequence[Any]], Any]

    def filled(self, found: Mapping[str, Any]) -> Any:
        """The same with arrays by name; those without one stay."""
        return self.rebuilt([_as(a, found.get(n, a)) for n, a in self.arrays.items()])

    def places(self) -> dict[str, str]:
        """The names that arrays have in what `rebuilt` makes, where they are others."""
        marks = [np.full((), number) for number in range(len(self.arrays))]
        numbers = {id(mark): number for number, mark in enumerate(marks)}
        own = list(self.arrays)
        there = opened(self.rebuilt(marks)).arrays
        named = {own[numbers[id(leaf)]]: name for name, leaf in there.items()}
        return {n: named[n] for n in own if named[n] != n}


def _as(old: Any, new: Any) -> Any:
    """An array of JAX where there was one: for Equinox those of NumPy are no parameters."""
    return jnp.asarray(new) if isinstance(old, jax.Array) else new


def opened(tree: Any) -> Opened:
    """The arrays of a module of NNX, or of any tree of JAX's.

    Raises:
        SpecError: two have one name.
    """
    nnx: Any = sys.modules.get("flax.nnx")
    if nnx is not None and isinstance(tree, nnx.Module):
        return _of_nnx(nnx, tree)
    rows, structure = jax.tree_util.tree_flatten_with_path(tree)
    leaves = [leaf for _, leaf in rows]
    places = [at for at, leaf in enumerate(leaves) if is_array(leaf)]

    def rebuilt(arrays: Sequence[Any]) -> Any:
        new = dict(zip(places, arrays, strict=True))
        filled = [new.get(at, leaf) for at, leaf in enumerate(leaves)]
        return jax.tree.unflatten(structure, filled)

    named = by_name((path_of(rows[at][0]), leaves[at]) for at in places)
    return Opened(named, rebuilt)


def _of_nnx(nnx: Any, module: Any) -> Opened:
    """The variables of a module but for its keys."""
    graphdef, keys, state = nnx.split(module, nnx.RngState, ...)
    rows = list(nnx.to_flat_state(state))

    def rebuilt(arrays: Sequence[Any]) -> Any:
        filled = [
            (path, leaf.replace(array) if isinstance(leaf, nnx.Variable) else array)
            for (path, leaf), array in zip(rows, arrays, strict=True)
        ]
        return nnx.merge(graphdef, keys, nnx.from_flat_state(filled))

    def value(leaf: Any) -> Any:
        return leaf.get_raw_value() if isinstance(leaf, nnx.Variable) else leaf

    return Opened(by_name((path, value(leaf)) for path, leaf in rows), rebuilt)
