"""Models of Flax NNX."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import CodeType
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from ...trace import Path
from ..source import Kind, Source
from .calls import given_as, require_call
from .functions import marked_functions
from .layers import replaced
from .nnx_layers import CONTAINERS, layers
from .nnx_values import array_of, is_variable, leaves_of, named
from .paths import nested, path_of

EVALUATED = {"deterministic": True, "use_running_average": True}
"""The settings by which modules are in their form for evaluation."""


def is_model(model: Any) -> bool:
    return isinstance(model, nnx.Module)


def source_of(
    function: Callable[..., Any] | None,
    model: Any,
    name: str,
    inputs: Sequence[str] = (),
) -> Source:
    """A module in its form for evaluation: dropout and norms of the batch are ops that
    know training by themselves. Keys are no arrays of the Graph.

    Args:
        function: of the module and the inputs; without it the module is called.
        inputs: the names of what the model is given, in order.
    """
    model = nnx.merge(*nnx.split(model))
    model.eval()
    graphdef, keys, state = nnx.split(model, nnx.RngState, ...)
    variables = {named(p): v for p, v in nnx.to_flat_state(state)}
    arrays = nested({path: array_of(v) for path, v in variables.items()})
    kinds = _kinds(variables)

    def rebuilt(given: Any) -> Any:
        values = {
            path_of(k): x for k, x in jax.tree_util.tree_flatten_with_path(given)[0]
        }
        filled = [
            (path, _filled(v, values[named(path)]))
            for path, v in nnx.to_flat_state(state)
        ]
        fresh = jax.tree.map(lambda key: key, keys)  # a trace changes none but its own
        return nnx.merge(graphdef, fresh, nnx.from_flat_state(filled))

    def call(given: Any, *xs: Any) -> tuple[Any, Mapping[Path, Any]]:
        module = rebuilt(given)
        before = dict(_values(module))
        if function is not None:
            require_call(function, (module, *xs))
            outputs = function(module, *xs)
        else:
            arguments, flags = given_as(type(model).__call__, inputs, xs)
            outputs = module(*arguments, **flags)
        return outputs, {
            path: array
            for path, array in _values(module)
            if kinds.get(path) == "state" and array is not before[path]
        }

    @contextmanager
    def marked(without: frozenset[str]) -> Iterator[None]:
        root: Any = getattr(function or type(model).__call__, "__code__", None)
        codes = frozenset(_codes())
        with replaced(layers(), without), marked_functions(root, leaves_of, codes):
            yield

    modules = [module for _, module in nnx.iter_modules(model)]
    flags = {n: v for n, v in EVALUATED.items() if any(hasattr(m, n) for m in modules)}
    return Source(call, arrays, name, marked, rebuilt, kinds, flags=flags)


def _filled(leaf: Any, array: Any) -> Any:
    return leaf.replace(array) if is_variable(leaf) else array


def _values(module: Any) -> Iterator[tuple[Path, Any]]:
    for path, leaf in nnx.to_flat_state(nnx.state(module)):
        if not isinstance(leaf, nnx.RngState):
            yield named(path), array_of(leaf)


def _kinds(variables: Mapping[Path, Any]) -> dict[Path, Kind]:
    """What is no Param is state; numbers that are not floating are not trained."""
    found: dict[Path, Kind] = {}
    for path, leaf in variables.items():
        if is_variable(leaf) and not isinstance(leaf, nnx.Param):
            found[path] = "state"
        elif not jnp.issubdtype(array_of(leaf).dtype, jnp.inexact):
            found[path] = "buffer"
    return found


def _codes() -> Iterator[CodeType]:
    for cls in CONTAINERS:
        yield inspect.unwrap(cls.__call__).__code__
