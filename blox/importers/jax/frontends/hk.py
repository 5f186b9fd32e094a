"""Models of Haiku."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import CodeType
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

from ...trace import Path
from ..source import Kind, Source
from .calls import given_as
from .functions import marked_functions
from .hk_layers import CONTAINERS, intercepted
from .hk_values import leaves_of
from .paths import nested, path_of


def is_model(model: Any) -> bool:
    return isinstance(model, (hk.Transformed, hk.TransformedWithState))


def has_state(model: Any) -> bool:
    return isinstance(model, hk.TransformedWithState)


def source_of(
    model: Any,
    params: Any,
    name: str,
    inputs: Sequence[str] = (),
) -> Source:
    """A transformed function and its arrays; `a/~/b` is the path a.b in the Graph.

    Args:
        params: of `model.init`, in a tuple with the state where the function has one.
        inputs: the names of what the function is given, in order.
    """
    stateful = has_state(model)
    params, state = params if stateful else (params or {}, {})
    whole = {"params": dict(params), "state": dict(state)}
    short = shortened(whole)
    arrays = nested({short[at]: _at(whole, at) for at in short})

    def rebuilt(given: Any) -> Any:
        found = {
            path_of(k): x for k, x in jax.tree_util.tree_flatten_with_path(given)[0]
        }
        made: dict[str, dict[str, dict[str, Any]]] = {"params": {}, "state": {}}
        for kind, module, leaf in short:
            made[kind].setdefault(module, {})[leaf] = found[short[kind, module, leaf]]
        return (made["params"], made["state"]) if stateful else made["params"]

    def call(given: Any, *xs: Any) -> tuple[Any, Mapping[Path, Any]]:
        arguments, flags = given_as(_original(model), inputs, xs)
        takes_key = "rng" in inspect.signature(model.apply).parameters
        key = (jax.random.key(0),) if takes_key else ()  # none: hk.without_apply_rng
        if not stateful:
            return model.apply(rebuilt(given), *key, *arguments, **flags), {}
        own, before = rebuilt(given)
        outputs, after = model.apply(own, before, *key, *arguments, **flags)
        return outputs, {
            path: after[module][leaf]
            for (kind, module, leaf), path in short.items()
            if kind == "state" and after[module][leaf] is not before[module][leaf]
        }

    @contextmanager
    def marked(without: frozenset[str]) -> Iterator[None]:
        root: Any = getattr(_original(model), "__code__", None)
        codes = frozenset(_codes())
        with intercepted(without), marked_functions(root, leaves_of, codes):
            yield

    return Source(call, arrays, name, marked, rebuilt, _kinds(whole, short))


At = tuple[str, str, str]


def shortened(whole: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> dict[At, Path]:
    """Paths by what arrays are (`params` or `state`), their module and name."""
    found: dict[At, Path] = {}
    for kind, modules in whole.items():
        for module, leaves in modules.items():
            for leaf in leaves:
                parts = [p for p in module.split("/") if p != "~"]
                path = (*parts, leaf)
                if path in found.values():
                    path = (*parts, f"{leaf}_{kind}")
                found[kind, module, leaf] = path
    return found


def _at(whole: Mapping[str, Any], at: At) -> Any:
    kind, module, leaf = at
    return whole[kind][module][leaf]


def _original(model: Any) -> Callable[..., Any]:
    found: Callable[..., Any] = getattr(model.apply, "_original_fn", model.apply)
    return found


def _kinds(whole: Mapping[str, Any], short: Mapping[At, Path]) -> dict[Path, Kind]:
    found: dict[Path, Kind] = {}
    for at, path in short.items():
        if at[0] == "state":
            found[path] = "state"
        elif not jnp.issubdtype(_at(whole, at).dtype, jnp.inexact):
            found[path] = "buffer"
    return found


def _codes() -> Iterator[CodeType]:
    for cls in CONTAINERS:
        yield inspect.unwrap(cls.__call__).__code__
