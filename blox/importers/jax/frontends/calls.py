"""What a model is called with: its inputs by place, and flags that choose evaluation."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

FLAGS = {
    "train": False,
    "training": False,
    "is_training": False,
    "deterministic": True,
    "inference": True,
    "use_running_average": True,
}
"""Arguments that say whether a model is trained, and what says that it isn't."""


def given_as(
    function: Callable[..., Any], names: Sequence[str], values: Sequence[Any]
) -> tuple[list[Any], dict[str, Any]]:
    """Arguments by place and by name of a function, `self` apart.

    An input whose name is that of a parameter is given to it, the others to the first ones
    in order; flags such as `train` choose evaluation.
    """
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return list(values), {}
    kinds = {n: p.kind for n, p in parameters.items() if n != "self"}
    flags = {n: FLAGS[n] for n in kinds if n in FLAGS and n not in names}
    if not names or any(k is inspect.Parameter.VAR_POSITIONAL for k in kinds.values()):
        return list(values), flags
    own = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY
    free = [n for n, k in kinds.items() if k in own and n not in (*names, *flags)]
    placed: dict[str, Any] = {}
    for name, value in zip(names, values, strict=True):
        target = name if name in kinds else free.pop(0) if free else name
        placed[target] = value
    return [], {**placed, **flags}
