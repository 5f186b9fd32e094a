"""The types of what a model computes with: trees of arrays, values, closures of steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from jax import Array

Params: TypeAlias = "Array | dict[str, Params] | list[Params]"
"""The parameters of a model or of a part of it; a list where listed copies lie."""
State: TypeAlias = "Array | dict[str, State] | list[State]"
"""What a call updates, in a tree of the same nesting; an empty dict if nothing."""
Value: TypeAlias = Any
"""An array, a Python number that a call got, or None for an input that is absent."""
Outputs: TypeAlias = tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Context:
    """What a call of a model fixes for all of its nodes; `dtype` is its float."""

    train: bool
    dtype: Any
    axis_name: str | None = None


class Env(dict[str, Outputs]):
    """The outputs of inputs and nodes so far, by name."""

    __slots__ = ("sizes",)

    sizes: Mapping[str, Any]
    """Attributes and dims, where a node speaks of them."""


Run: TypeAlias = Callable[
    [Params, dict[str, Value], Context], tuple[Outputs, dict[str, State]]
]
"""(params, inputs by name, context) -> (outputs, state) of an instance."""
Act: TypeAlias = Callable[[Params, Env, Context], tuple[Outputs, State]]
"""(the step's parameters, values so far, context) -> (outputs, state) of a step."""
Getter: TypeAlias = Callable[[Env], Value]
Typed: TypeAlias = Callable[[Env, Context], Value]
