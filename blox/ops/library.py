"""From the name of an op to its JAX function and what that takes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

from blox.schema import ModelError
from blox.schema.registry import Definition, definition


@dataclass(frozen=True, slots=True)
class OpFunction:
    """A function and the attributes, by name, that it takes."""

    call: Callable[..., Any]
    attributes: tuple[str, ...]
    takes_axis_name: bool


def op_function(name: str) -> OpFunction:
    """The JAX function of an op.

    Raises:
        ModelError: the op has a spec class but no function.
    """
    found = definition(name)
    if found is None:
        raise ModelError.one("op", name, "this op has no JAX function")
    return function_of(found)


@cache
def function_of(found: Definition) -> OpFunction:
    """The JAX function of a definition.

    Raises:
        ModelError: there is none.
    """
    function = _function(found)
    if function is None:
        raise ModelError.one("op", found.key, "this op has no JAX function")
    attributes = found.op_class.fields().attributes
    own = getattr(function, "__module__", "").startswith(f"{__package__}.")
    if own or found.function is not None:
        taken = inspect.signature(function).parameters
        kept = tuple(a for a in attributes if a in taken)
        return OpFunction(function, kept, "axis_name" in taken)
    return OpFunction(function, attributes, False)


def _function(found: Definition) -> Callable[..., Any] | None:
    if found.function is not None:
        return found.function
    module, name = import_module(f".{found.home}", __package__), found.python_name
    function: Callable[..., Any] | None = getattr(module, name, None)
    return function or getattr(module, f"{name}_", None)


def argument(value: Any, *, index: bool = False) -> Any:
    """A resolved attribute as a function takes it: lists as tuples, or as an index."""
    if isinstance(value, list):
        value = tuple(argument(v) for v in value)
    if index:
        return tuple(_index_part(v) for v in value)
    return value


def _index_part(part: Any) -> Any:
    if part == "...":
        return ...
    return slice(*part) if isinstance(part, tuple) else part
