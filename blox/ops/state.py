"""Trees of parameters and state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def merge(params: Any, state: Any) -> Any:
    """params with the arrays of state in place of its own."""
    if params is None:
        return state
    if isinstance(state, dict):
        return {**params, **{k: merge(params.get(k), v) for k, v in state.items()}}
    if isinstance(state, list):
        return [merge(p, s) for p, s in zip(params, state, strict=True)]
    return state


def kept(params: Any, paths: Sequence[str], *, train: bool) -> dict[str, Any]:
    """The state of a part that does not run: what it has if training, else nothing."""
    state: dict[str, Any] = {}
    for path in paths:
        *parents, name = path.split(".")
        source, target = params, state
        for parent in parents:
            source, target = source[parent], target.setdefault(parent, {})
        if train:
            target[name] = source[name]
    return state
