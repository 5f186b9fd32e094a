"""Trees of parameters and state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def merge(params: Any, state: Any) -> Any:
    """params with the arrays of state in place of its own."""
    if isinstance(params, dict) and isinstance(state, dict):
        return {**params, **{k: merge(params.get(k), v) for k, v in state.items()}}
    if isinstance(params, list) and isinstance(state, list):
        return [merge(p, s) for p, s in zip(params, state, strict=True)]
    return state if params is None or not isinstance(state, dict) else params


def kept(params: Any, paths: Sequence[str], *, train: bool) -> Any:
    """The state of a part that does not run: what it has if training, else nothing."""
    if paths == [""]:
        return params if train else {}
    parts: dict[str, list[str]] = {}
    for path in paths:
        name, _, rest = path.partition(".")
        parts.setdefault(name, []).append(rest)
    if isinstance(params, list):
        copies = enumerate(params)
        return [kept(p, parts.get(str(i), []), train=train) for i, p in copies]
    state: dict[str, Any] = {}
    for name, below in parts.items():
        if train or below != [""]:
            state[name] = kept(params[name], below, train=train)
    return state
