"""What the function of an op that is no core op returns: arrays, as many as outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from blox.schema import ModelError


def returning(
    function: Callable[..., Any], outputs: int | None, stateful: bool
) -> Callable[..., Any]:
    """The function, held to what its class says.

    Args:
        function: that of the op.
        outputs: how many a tuple of them has; None: one, alone.
        stateful: it returns (output, state).
    """

    def run(*arguments: Any, **keywords: Any) -> Any:
        result = function(*arguments, **keywords)
        value = result
        if stateful:
            if not isinstance(result, tuple) or len(result) != 2:
                raise _fault("a pair (output, state)", result)
            value = result[0]
        if outputs is None:
            _require_array(value)
        elif not isinstance(value, tuple) or len(value) != outputs:
            raise _fault(f"a tuple of {outputs} arrays", value)
        else:
            for part in value:
                _require_array(part)
        return result

    return run


def _require_array(value: Any) -> None:
    if not isinstance(value, (jax.Array, np.ndarray, np.generic, bool, int, float)):
        raise _fault("an array", value)


def _fault(expected: str, found: Any) -> ModelError:
    kind = type(found).__name__
    size = f" of {len(found)}" if isinstance(found, tuple) else ""
    return ModelError.one(
        "trace",
        "",
        f"expected the function of the op to return {expected}, found {kind}{size}",
    )
