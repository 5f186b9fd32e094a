"""Models of Flax Linen."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import CodeType
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.core import meta

from ...trace import Path
from ..internals import is_tracer
from ..source import Kind, Source
from .calls import given_as
from .functions import leaves_of as leaves_of_tree
from .functions import marked_functions
from .linen_layers import CONTAINERS, intercepted
from .paths import nested, path_of


def is_model(model: Any) -> bool:
    return isinstance(model, nn.Module)


def source_of(
    model: Any, variables: Mapping[str, Any], name: str, inputs: Sequence[str] = ()
) -> Source:
    """A module and its variables; paths in the Graph are without the collection.

    Args:
        variables: of `model.init`, by collection.
        inputs: the names of what the model is given, in order.
    """
    boxed = dict(variables)
    plain = meta.unbox(boxed)
    leaves, structure = jax.tree_util.tree_flatten_with_path(plain)
    long = [path_of(keys) for keys, _ in leaves]
    short = shortened(long)
    arrays = nested({short[p]: x for p, (_, x) in zip(long, leaves, strict=True)})
    kept = [c for c in plain if c != "params"]

    def rebuilt(given: Any) -> Any:
        found = {
            path_of(k): x for k, x in jax.tree_util.tree_flatten_with_path(given)[0]
        }
        return jax.tree.unflatten(structure, [found[short[p]] for p in long])

    def call(given: Any, *xs: Any) -> tuple[Any, Mapping[Path, Any]]:
        whole = rebuilt(given)
        before = {
            short[p]: x for p, x in zip(long, jax.tree.leaves(whole), strict=True)
        }
        arguments, flags = given_as(type(model).__call__, inputs, xs, model)
        outputs, changed = model.apply(whole, *arguments, **flags, mutable=kept)
        after = {
            short[path_of(k)]: x
            for k, x in jax.tree_util.tree_flatten_with_path(meta.unbox(changed))[0]
            if path_of(k) in short
        }
        return outputs, {p: x for p, x in after.items() if x is not before[p]}

    @contextmanager
    def marked(without: frozenset[str]) -> Iterator[None]:
        root: Any = inspect.unwrap(type(model).__call__).__code__
        with (
            intercepted(without),
            marked_functions(root, leaves_of, frozenset(_codes())),
        ):
            yield

    return Source(call, arrays, name, marked, rebuilt, _kinds(leaves, short))


def shortened(paths: Sequence[Path]) -> dict[Path, Path]:
    """Paths without the collection, each part a name: norms of weights name theirs
    `kernel/scale`. Where two would be one, all but that of `params` have it at their end."""
    found: dict[Path, Path] = {}
    taken: set[Path] = set()
    for path in sorted(paths, key=lambda p: p[0] != "params"):
        own = tuple(_named(part) for part in path[1:] or path)
        if own in taken:
            own = (*own[:-1], f"{own[-1]}_{path[0]}")
        taken.add(own)
        found[path] = own
    return found


def _named(part: str | int) -> str | int:
    return part.replace("/", "_") if isinstance(part, str) else part


def leaves_of(tree: Any) -> list[tuple[Path, Any]]:
    """The arrays of a module that is bound, or of a tree, that are being traced."""
    if not is_model(tree):
        return leaves_of_tree(tree)
    if tree.scope is None:
        return []
    own = meta.unbox(dict(tree.variables))
    leaves = jax.tree_util.tree_flatten_with_path(own)[0]
    short = shortened([path_of(keys) for keys, _ in leaves])
    found = [(short[path_of(keys)], x) for keys, x in leaves]
    return [(path, x) for path, x in found if is_tracer(x)]


def _kinds(leaves: Sequence[Any], short: Mapping[Path, Path]) -> dict[Path, Kind]:
    found: dict[Path, Kind] = {}
    for keys, leaf in leaves:
        path = path_of(keys)
        if path[0] != "params":
            found[short[path]] = "state"
        elif not jnp.issubdtype(leaf.dtype, jnp.inexact):
            found[short[path]] = "buffer"
    return found


def _codes() -> Iterator[CodeType]:
    for cls in CONTAINERS:
        yield inspect.unwrap(cls.__call__).__code__
