"""Models of Equinox."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import CodeType
from typing import Any

import equinox as eqx  # pyright: ignore[reportMissingImports]
import jax
import jax.numpy as jnp

from ...trace import Path
from ..source import Kind, Source
from .eqx_layers import CONTAINERS, layers
from .functions import leaves_of, marked_functions
from .layers import replaced
from .paths import path_of


def is_model(model: Any) -> bool:
    return isinstance(model, eqx.Module)


def has_modules(tree: Any) -> bool:
    """True for a tree with a module in it."""
    leaves = jax.tree.leaves(tree, is_leaf=is_model)
    return any(map(is_model, leaves))


def source_of(function: Callable[..., Any], model: Any, name: str) -> Source:
    """A function of a module, or of a tree with modules and `eqx.nn.State` in it.

    Args:
        function: of the tree and the inputs. Where it gives a State beside its outputs,
            the arrays of that are what the model updates.
    """
    arrays, static = eqx.partition(model, eqx.is_array)

    def call(given: Any, *inputs: Any) -> tuple[Any, Mapping[Path, Any]]:
        return _split(function(eqx.combine(given, static), *inputs), given)

    @contextmanager
    def marked(without: frozenset[str]) -> Iterator[None]:
        root = getattr(function, "__code__", None)
        codes = frozenset(_codes(CONTAINERS))
        with replaced(layers(), without), marked_functions(root, leaves_of, codes):
            yield

    return Source(
        call,
        arrays,
        name,
        marked,
        rebuilt=lambda given: eqx.combine(given, static),
        kinds=_kinds(arrays),
    )


def _codes(classes: Sequence[type]) -> Iterator[CodeType]:
    for cls in classes:
        call: Any = cls.__call__
        while call is not None:
            if (code := getattr(call, "__code__", None)) is not None:
                yield code
            call = getattr(call, "__wrapped__", None)


def _split(result: Any, given: Any) -> tuple[Any, Mapping[Path, Any]]:
    """What a model gives, and the arrays of a State beside it by their paths."""
    if not isinstance(result, tuple):
        return result, {}
    states = [r for r in result if isinstance(r, eqx.nn.State)]
    if not states:
        return result, {}
    rest = tuple(r for r in result if not isinstance(r, eqx.nn.State))
    outputs = rest[0] if len(rest) == 1 else rest
    before = jax.tree_util.tree_flatten_with_path(given, is_leaf=_is_state)[0]
    updates: dict[Path, Any] = {}
    for keys, old in before:
        if not _is_state(old):
            continue
        new = jax.tree_util.tree_flatten_with_path(states[0])[0]
        updates |= {(*path_of(keys), *path_of(k)): array for k, array in new}
    return outputs, updates


def _is_state(tree: Any) -> bool:
    return isinstance(tree, eqx.nn.State)


def _kinds(arrays: Any) -> dict[Path, Kind]:
    found: dict[Path, Kind] = {}
    for keys, leaf in jax.tree_util.tree_flatten_with_path(arrays, is_leaf=_is_state)[
        0
    ]:
        if _is_state(leaf):
            for inner, _ in jax.tree_util.tree_flatten_with_path(leaf)[0]:
                found[*path_of(keys), *path_of(inner)] = "state"
        elif not jnp.issubdtype(leaf.dtype, jnp.floating):
            found[path_of(keys)] = "buffer"
    return found
