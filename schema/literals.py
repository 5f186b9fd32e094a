"""Literal arrays: numbers or booleans in rectangular lists, small enough to be read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from .dtypes import LARGEST
from .fields import is_number
from .problems import Problem

MAX_LITERAL = 4096
"""Elements of a literal array; more belong into a `buffer` or `param`."""
MAX_RANK = 8


def literal_shape(value: Any) -> tuple[int, ...]:
    """The shape of a literal, `()` for a number."""
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        if not value:
            break
        value = value[0]
    return tuple(shape)


def literal_items(value: Any) -> Iterator[Any]:
    """The numbers or booleans of a literal, in order."""
    if isinstance(value, list):
        for part in value:
            yield from literal_items(part)
    else:
        yield value


def literal_problems(value: Any, dtype: str) -> Iterator[Problem]:
    """What in the `value` of a node does not fit a dtype."""
    items = list(literal_items(value))
    if dtype == "bool" or any(isinstance(v, bool) for v in items):
        if dtype != "bool" or not all(isinstance(v, bool) for v in items):
            yield Problem(
                "value", "expected booleans for dtype bool, numbers for all others"
            )
        return
    if dtype in LARGEST:
        if wrong := [v for v in items if abs(v) > LARGEST[dtype]]:
            yield Problem.expected("value", f"numbers within {dtype}", wrong[0])
        return
    if floats := [v for v in items if isinstance(v, float)]:
        yield Problem.expected("value", f"integers for dtype {dtype}", floats[0])
        return
    bits = int(dtype.removeprefix("u").removeprefix("int"))
    low, high = (
        (0, 2**bits) if dtype[0] == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1))
    )
    if wrong := [v for v in items if not low <= v < high]:
        yield Problem.expected("value", f"integers within {dtype}", wrong[0])


def _literal(value: Any) -> Any:
    shape = literal_shape(value)
    if len(shape) > MAX_RANK:
        raise PydanticCustomError(
            "literal", "expected at most {most} axes", {"most": MAX_RANK}
        )
    if _count(value, shape, MAX_LITERAL) > MAX_LITERAL:
        raise PydanticCustomError(
            "literal",
            "expected at most {most} elements; larger arrays are a `buffer`",
            {"most": MAX_LITERAL},
        )
    return value


def _count(value: Any, shape: tuple[int, ...], room: int) -> int:
    if not shape:
        if isinstance(value, bool) or is_number(value):
            return 1
        raise PydanticCustomError(
            "literal", "expected finite numbers or booleans in lists of equal length"
        )
    if not isinstance(value, list) or len(value) != shape[0]:
        raise PydanticCustomError("literal", "expected lists of equal length")
    if len(value) > room:
        return len(value)
    count = 0
    for part in value:
        count += max(_count(part, shape[1:], room), 1)
        if count > room:
            break
    return count


LiteralArray = Annotated[
    Any,
    PlainValidator(_literal),
    WithJsonSchema({"type": ["number", "boolean", "array"]}),
]
"""A number, a boolean, or such in nested lists of equal length."""
