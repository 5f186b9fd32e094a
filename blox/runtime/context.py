"""Errors that name the graph path, and how parts of Params are found."""

from __future__ import annotations

import re
from typing import Any

import jax.numpy as jnp
from jax import Array

from blox.schema import ModelError
from blox.schema.diagnostics import Diagnostic, listing, quote

from .trees import Params, Value


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
    if isinstance(value, list) and value:
        return f"a list of {len(value)} {describe(value[0])}"
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
    text = _first_words(str(error)) or type(error).__name__
    shapes = ", ".join(f"{k} {describe(v)}" for k, v in operands.items())
    return ModelError(
        Diagnostic("trace", name, f"{text} (operands: {shapes or 'none'})")
    )


def _first_words(text: str) -> str:
    """What an error says on its first line; JAX may tell what differs on the next."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    lines = [line for line in lines if not re.search(r" at \S*:\d+$", line)]
    if lines and lines[0].endswith((":", " differ.")):
        items = [line for line in lines[1:5] if line.startswith("*")]
        return " ".join([lines[0], *(items or lines[1:2])])
    return lines[0] if lines else ""


def lookup(params: Params, scope: tuple[str, ...]) -> Params:
    """The part of Params at a scope.

    Raises:
        ModelError: naming what Params lacks.
    """
    for name in scope:
        if isinstance(params, list) and name.isdecimal() and int(name) < len(params):
            params = params[int(name)]
        elif isinstance(params, dict) and name in params:
            params = params[name]
        else:
            raise lacking(params, repr(name))
    return params


def lacking(params: Params, wanted: str) -> ModelError:
    """The error of a part of Params in which something else was expected."""
    if isinstance(params, dict):
        found = listing([repr(name) for name in params])
    elif isinstance(params, (list, tuple)):
        found = f"a list of {len(params)}"
    else:
        found = describe(params)
    return ModelError(
        Diagnostic(
            "params",
            "",
            f"expected {wanted} in Params, found {found}",
            "give Params of this Graph, as bx.load and bx.init make them",
        )
    )


def as_array(value: Value) -> Array | list[Any]:
    """A number as an array; arrays stay as they are, a list is one of them."""
    if isinstance(value, list):
        return [*map(as_array, value)]
    return value if isinstance(value, Array) else jnp.asarray(value)
