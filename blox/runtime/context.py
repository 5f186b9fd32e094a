"""What a call of a model fixes for all of its nodes, and errors that name the path."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jax import Array

from blox.schema import ModelError
from blox.schema.errors import Diagnostic, quote

Run = Callable[[Any, dict[str, Any], "Context"], tuple[tuple[Any, ...], dict[str, Any]]]
"""(params, inputs by name, context) -> (outputs, state) of an instance."""


@dataclass(frozen=True, slots=True)
class Context:
    """`dtype` is the model's floating type at this call."""

    train: bool
    dtype: Any
    axis_name: str | None = None


def floating_dtype(dtype: Any) -> Any:
    """The dtype that a model is to compute in.

    Raises:
        ModelError: it is not a floating one.
    """
    try:
        found = jnp.dtype(dtype)
    except TypeError:
        found = None
    if found is None or not jnp.issubdtype(found, jnp.floating):
        name = dtype if isinstance(dtype, str) or found is None else str(found)
        raise ModelError.one(
            "dtype", "dtype", f"expected a floating dtype, found {quote(name)}"
        )
    return found


def describe(value: Any) -> str:
    """`float32[2, 3]`, or the kind of what is no array."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{value.dtype}{list(value.shape)}"
    return "nothing" if value is None else type(value).__name__


def failed(name: str, error: Exception, operands: dict[str, Any]) -> ModelError:
    """The error of a node: its own for an inner one, which gets the path's next part."""
    if isinstance(error, ModelError):
        return ModelError(
            Diagnostic(
                d.code, f"{name}.{d.path}" if d.path else name, d.message, d.hint
            )
            for d in error.diagnostics
        )
    lines = [line for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else type(error).__name__
    if text.endswith(":") and len(lines) > 1:
        text = f"{text} {lines[1].strip()}"
    if isinstance(error, KeyError):
        text = f"Params has no {text} here"
    shapes = ", ".join(f"{k} {describe(v)}" for k, v in operands.items())
    return ModelError(
        Diagnostic("trace", name, f"{text} (operands: {shapes or 'none'})")
    )


def lookup(params: Any, scope: tuple[str, ...]) -> Any:
    """The part of Params at a scope.

    Raises:
        ModelError: naming what Params lacks.
    """
    for name in scope:
        if not isinstance(params, dict) or name not in params:
            found = sorted(params) if isinstance(params, dict) else describe(params)
            raise ModelError(
                Diagnostic(
                    "params",
                    "",
                    f"expected {name!r} in Params, found {found}",
                    "build and Params must be of one Graph; blox.load and blox.init make both",
                )
            )
        params = params[name]
    return params


def as_array(value: Any) -> Array:
    """A number as an array; arrays stay as they are."""
    return value if isinstance(value, Array) else jnp.asarray(value)
