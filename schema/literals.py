"""Literal arrays: numbers or booleans in rectangular lists, small enough to be read."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from .dtypes import INEXACT, LARGEST
from .expressions import INFINITE
from .field_values import INFINITE_TEXTS, infinite_text, is_number, item
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


def literal_dtype(value: Any) -> str:
    """The dtype that a literal has by its content: bool, the model's float, or int32.

    Integers beside floats are floats. Booleans beside numbers are bool, which
    `literal_problems` refuses.
    """
    kinds = {type(item) for item in literal_items(value)}
    if bool in kinds:
        return "bool"
    return "int32" if kinds <= {int} and kinds else "float"


def fill_problems(field: str, value: Any, dtype: str) -> Iterator[Problem]:
    """An infinite number that a dtype lacks, of a resolved node."""
    if isinstance(value, float) and not math.isfinite(value) and dtype not in INEXACT:
        yield Problem.expected(field, f"a finite number for dtype {dtype}", value)


def literal_problems(value: Any, dtype: str) -> Iterator[Problem]:
    """What in the `value` of a resolved node does not fit a dtype."""
    items = [*_places(value, "value")]
    if dtype == "bool" or any(isinstance(v, bool) for _, v in items):
        wanted = "booleans for dtype bool, numbers for all others"
        wrong = [i for i in items if isinstance(i[1], bool) != (dtype == "bool")]
    elif dtype in LARGEST:
        wanted = f"numbers within {dtype}"
        wrong = [i for i in items if LARGEST[dtype] < abs(i[1]) < math.inf]
    elif wrong := [i for i in items if isinstance(i[1], float)]:
        wanted = f"integers for dtype {dtype}"
    else:
        wanted = f"integers within {dtype}"
        bits = int(dtype.removeprefix("u").removeprefix("int"))
        low = 0 if dtype[0] == "u" else -(2 ** (bits - 1))
        wrong = [i for i in items if not low <= i[1] < low + 2**bits]
    for place, found in wrong[:1]:
        yield Problem.expected(place, wanted, found)


def _places(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    """The items of a literal, in order, and where they are: `value.0.1`."""
    if isinstance(value, list):
        for i, part in enumerate(value):
            yield from _places(part, f"{place}.{i}")
    else:
        yield place, value


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
    return _written(value)


def _written(value: Any) -> Any:
    """The literal as a file has it: infinite numbers as texts."""
    if isinstance(value, list):
        return [_written(part) for part in value]
    return infinite_text(value)


def _count(value: Any, shape: tuple[int, ...], room: int) -> int:
    if not shape:
        value = infinite_text(value)
        is_infinite = isinstance(value, str) and value in INFINITE
        if isinstance(value, bool) or is_number(value) or is_infinite:
            return 1
        raise PydanticCustomError(
            "literal",
            f"expected numbers, {INFINITE_TEXTS}, or booleans in lists of equal length",
        )
    if not isinstance(value, list) or len(value) != shape[0]:
        raise PydanticCustomError("literal", "expected lists of equal length")
    if len(value) > room:
        return len(value)
    count = 0
    for i, part in enumerate(value):
        count += max(item(lambda v: _count(v, shape[1:], room), part, i), 1)
        if count > room:
            break
    return count


LiteralArray = Annotated[
    Any,
    PlainValidator(_literal),
    WithJsonSchema(
        {"anyOf": [{"type": ["number", "boolean", "array"]}, {"enum": [*INFINITE]}]}
    ),
]
"""A number, an infinite one as text, a boolean, or such in nested lists of equal length."""
