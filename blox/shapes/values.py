"""What is known of something that flows through a model, before there is an array."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from .symbolic import Symbols, is_long, is_symbolic, variables

Shape = tuple[Any, ...]
"""Sizes: integers, and JAX's symbolic dimensions where a call decides."""


def canonical(dtype: Any) -> Any:
    """The dtype that an array gets: of 32 bits, where JAX's mode of 64 is off."""
    return jax.dtypes.canonicalize_dtype(dtype, allow_extended_dtype=True)


@dataclass(frozen=True, eq=False, slots=True)
class Value:
    """An array, or a number of the file. Equal ones are one object of a `Values`.

    Args:
        shape: None where it isn't known.
        dtype: None where it isn't known, and for numbers.
        weak: True for an array that promotes as a number does.
        literal: the number, or the tuple of numbers.
        unknown: True where some size follows a fault, so that what comes of it is none.
    """

    shape: Shape | None
    dtype: Any
    weak: bool = False
    literal: Any = None
    unknown: bool = False

    def __str__(self) -> str:
        if self.literal is not None:
            return type(self.literal).__name__
        shape = "?" if self.shape is None else f"[{', '.join(map(str, self.shape))}]"
        return f"{'?' if self.dtype is None else self.dtype}{shape}"

    @property
    def is_array(self) -> bool:
        return self.literal is None and self.shape is not None

    def abstract(self) -> Any:
        """What `jax.make_jaxpr` takes in place of it."""
        if self.literal is not None:
            return self.literal
        return jax.ShapeDtypeStruct(
            self.shape, canonical(self.dtype), weak_type=self.weak
        )


class Values:
    """The values of one Graph, each once."""

    def __init__(self, symbols: Symbols) -> None:
        self.symbols = symbols
        self._made: dict[Any, Value] = {}
        self._names: dict[str, Any] = {}

    def array(self, shape: Sequence[Any], dtype: Any, weak: bool = False) -> Value:
        sizes = tuple(s if type(s) is int else self._size(s) for s in shape)
        texts = tuple(s if type(s) is int else str(s) for s in sizes)
        key = (texts, dtype, weak)
        found = self._made.get(key)
        if found is None:
            unknown = any(
                not variables(s).isdisjoint(self.symbols.unknown)
                for s in sizes
                if is_symbolic(s)
            )
            found = self._made[key] = Value(sizes, dtype, weak, unknown=unknown)
        return found

    def _size(self, size: Any) -> Any:
        """A symbolic size, an opaque one in place of one that grew too long."""
        if hasattr(size, "__index__") and not hasattr(size, "_sorted_terms"):
            return int(size)
        text = str(size)
        found = self._names.get(text)
        if found is None:
            if is_long(text):
                lost = not variables(size).isdisjoint(self.symbols.unknown)
                found = self.symbols.opaque(of=text, unknown=lost)
            else:
                found = size
            self._names[text] = found
        return found

    def number(self, literal: Any) -> Value:
        """A number, or a tuple of them, that the file states."""
        key = (repr(literal),)
        found = self._made.get(key)
        if found is None:
            found = self._made[key] = Value((), None, literal=literal)
        return found

    def lost(self, dtype: Any = None) -> Value:
        """Something of which not even the rank is known."""
        key = (None, dtype)
        found = self._made.get(key)
        if found is None:
            found = self._made[key] = Value(None, dtype, unknown=True)
        return found

    def as_array(self, value: Value) -> Value:
        """A number as the array that it becomes; arrays stay."""
        if value.literal is None:
            return value
        return self.array((), jnp.asarray(value.literal).dtype, True)
