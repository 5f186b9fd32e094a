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
from .calls import require_call
from .eqx_layers import CONTAINERS, layers
from .eqx_paths import is_state, names_of
from .functions import leaves_of, marked_functions
from .layers import replaced
from .paths import nested, path_of


def is_model(model: Any) -> bool:
    return isinstance(model, eqx.Module)


def has_modules(tree: Any) -> bool:
    """True for a tree with a module in it."""
    leaves = jax.tree.leaves(tree, is_leaf=is_model)
    return any(map(is_model, leaves))


def source_of(function: Callable[..., Any], model: Any, name: str) -> Source:
    """A function of a module, or of a tree with modules and `eqx.nn.State` in it, as it is
    in inference: `dropout` and `batch_norm` of blox know themselves when they train.

    Args:
        function: of the tree and the inputs. Where it gives a State beside its outputs,
            the arrays of that are what the model updates.
    """
    arrays, static = eqx.partition(model, eqx.is_array)
    _, quiet = eqx.partition(eqx.nn.inference_mode(model), eqx.is_array)
    leaves, structure = jax.tree.flatten(arrays)
    names = names_of(model)
    paths = [path for path, _ in names]

    def whole(given: Any, static: Any = static) -> Any:
        by_path = {
            path_of(k): a for k, a in jax.tree_util.tree_flatten_with_path(given)[0]
        }
        tree = jax.tree.unflatten(structure, [by_path[p] for p in paths])
        return eqx.combine(tree, static)

    def call(given: Any, *inputs: Any) -> tuple[Any, Mapping[Path, Any]]:
        tree = whole(given, quiet)
        require_call(function, (tree, *inputs))
        outputs, states = _split(function(tree, *inputs))
        new = [array for state in states for array in jax.tree.leaves(state)]
        changed = [path for path, changes in names if changes] if new else []
        return outputs, dict(zip(changed, new, strict=True))

    @contextmanager
    def marked(without: frozenset[str]) -> Iterator[None]:
        root = getattr(function, "__code__", None)
        codes = frozenset(_codes(CONTAINERS))
        with replaced(layers(), without), marked_functions(root, own_leaves, codes):
            yield

    kinds: dict[Path, Kind] = {}
    for (path, changes), leaf in zip(names, leaves, strict=True):
        if changes:
            kinds[path] = "state"
        elif not jnp.issubdtype(leaf.dtype, jnp.floating):
            kinds[path] = "buffer"
    kept = nested(dict(zip(paths, leaves, strict=True)))
    modules = jax.tree.leaves(model, is_leaf=_has_mode)
    flags = {"inference": True} if any(map(_has_mode, modules)) else {}
    return Source(call, kept, name, marked, whole, kinds, flags=flags)


def _has_mode(tree: Any) -> bool:
    return isinstance(getattr(tree, "inference", None), bool)


def own_leaves(tree: Any) -> list[tuple[Path, Any]]:
    """The arrays of an argument; those of a State are no argument, but the layers' own."""
    return [] if is_state(tree) else leaves_of(tree)


def _codes(classes: Sequence[type]) -> Iterator[CodeType]:
    for cls in classes:
        call: Any = cls.__call__
        while call is not None:
            if (code := getattr(call, "__code__", None)) is not None:
                yield code
            call = getattr(call, "__wrapped__", None)


def _split(result: Any) -> tuple[Any, list[Any]]:
    """What a model gives, and the States beside it."""
    if not isinstance(result, tuple):
        return result, []
    states = [r for r in result if is_state(r)]
    rest = tuple(r for r in result if not is_state(r))
    return (rest[0] if states and len(rest) == 1 else rest or result), states
