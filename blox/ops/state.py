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


def kept(params: Any, paths: Sequence[str], *, train: bool) -> Any:
    """The state of a part that does not run: what it has if training, else nothing."""
    parts: dict[str, list[str]] = {}
    for path in paths:
        name, _, rest = path.partition(".")
        parts.setdefault(name, []).append(rest)
    if isinstance(params, list):
        copies = enumerate(params)
        return [kept(p, parts.get(str(i), []), train=train) for i, p in copies]
    state: dict[str, Any] = {}
    for name, below in parts.items():
        if below != [""]:
            state[name] = kept(params[name], below, train=train)
        elif train:
            state[name] = params[name]
    return state
