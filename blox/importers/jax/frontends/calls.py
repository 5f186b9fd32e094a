"""What a model is called with: its inputs by place, and flags that choose evaluation."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import blox as bx

from ..decided import flags as told

FLAGS = {
    "train": False,
    "training": False,
    "is_training": False,
    "deterministic": True,
    "inference": True,
    "use_running_average": True,
    "update_stats": False,
}
"""Arguments that say whether a model is trained, and what says that it isn't."""


def given_as(
    function: Callable[..., Any],
    names: Sequence[str],
    values: Sequence[Any],
    module: Any = None,
) -> tuple[list[Any], dict[str, Any]]:
    """Arguments by place and by name of a function, `self` apart.

    An input whose name is that of a parameter is given to it, the others to the first ones
    in order; flags such as `train` choose evaluation.

    Args:
        module: what the function is called of; a flag that it was made with isn't given.
    """
    signature = _signature(function)
    if signature is None:
        return list(values), {}
    parameters = signature.parameters
    kinds = {n: p.kind for n, p in parameters.items() if n != "self"}
    made = [n for n in kinds if getattr(module, n, None) is not None]
    made = [n for n in made if parameters[n].default is None]
    flags = {n: FLAGS[n] for n in kinds if n in FLAGS and n not in (*names, *made)}
    told("the model is called", flags)
    if not names or any(k is inspect.Parameter.VAR_POSITIONAL for k in kinds.values()):
        require_call(function, values, flags)
        return list(values), flags
    own = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY
    free = [n for n, k in kinds.items() if k in own and n not in (*names, *flags)]
    placed: dict[str, Any] = {}
    for name, value in zip(names, values, strict=True):
        target = name if name in kinds else free.pop(0) if free else name
        placed[target] = value
    require_call(function, (), {**placed, **flags})
    return [], {**placed, **flags}


def require_call(
    function: Callable[..., Any],
    values: Sequence[Any],
    named: Mapping[str, Any] | None = None,
) -> None:
    """Refuses arguments, `self` apart, that a function does not take.

    Raises:
        SpecError: some are missing, or too many.
    """
    signature = _signature(function)
    if signature is None:
        return
    try:
        signature.bind(*values, **(named or {}))
    except TypeError as error:
        code = getattr(inspect.unwrap(function), "__code__", None)
        at = f", at {code.co_filename}:{code.co_firstlineno}" if code else ""
        names = ", ".join(map(str, signature.parameters))
        found = len(values) + len(named or {})
        raise bx.SpecError.one(
            "import-code",
            getattr(function, "__qualname__", "") or type(function).__name__,
            f"expected arguments for ({names}), found {found}: {error}{at}",
            "params= is the first of a function where it is given, inputs= are those "
            "that follow; a setting is bound, functools.partial(f, flag=True)",
        ) from error


def called(module: Any, *inputs: Any) -> Any:
    """What a module gives for inputs."""
    require_call(module.__call__, inputs)
    return module(*inputs)


def _signature(function: Callable[..., Any]) -> inspect.Signature | None:
    """The arguments of a function but `self`; None of one that does not say them."""
    try:
        found = inspect.signature(function)
    except (TypeError, ValueError):
        return None
    own = [p for name, p in found.parameters.items() if name != "self"]
    return found.replace(parameters=own)
