"""Checks of what a field may hold; what fails is refused as a field of Pydantic's."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, LiteralString

from pydantic_core import PydanticCustomError

from .expressions import INFINITE, INT64, ExpressionError, names
from .names import NAME

REFERENCE = re.compile(rf"{NAME}(?:\.{NAME})?")
INFINITE_TEXTS = "`$inf`, `$-inf` and `$nan`"


def check_expression(text: str, *, infinite: bool = False) -> str:
    """An expression; one that is infinite is refused as a field of Pydantic's, unless
    the field takes `infinite` ones."""
    if text in INFINITE and not infinite:
        raise fail(
            "infinite",
            f"expected a finite number: {INFINITE_TEXTS} stand for operands, constants "
            "and fills alone",
        )
    try:
        names(text)
    except ExpressionError as error:
        raise PydanticCustomError("expression", "{why}", {"why": str(error)}) from None
    return text


def fail(kind: LiteralString, expected: LiteralString) -> PydanticCustomError:
    """The fault of a field, for Pydantic."""
    return PydanticCustomError(kind, expected)


def item(check: Callable[[Any], Any], value: Any, *place: str | int) -> Any:
    """What a check gives for an item of a value, whose place within it an error names."""
    try:
        return check(value)
    except PydanticCustomError as error:
        context = error.context or {}
        at = (*place, *context.get("at", ()))
        kind: Any = error.type
        text: Any = error.message_template
        raise PydanticCustomError(kind, text, {**context, "at": at}) from None


def reference(value: Any) -> Any:
    """A reference; refused as a field of Pydantic's."""
    if (
        isinstance(value, str)
        and not value.startswith("$")
        and len(value) <= 130
        and REFERENCE.fullmatch(value)
    ):
        return value
    raise fail("reference", "expected a reference such as `name` or `name.output`")


def infinite_text(value: Any) -> Any:
    """`$inf`, `$-inf` or `$nan` for a float that JSON has no number for; all else as is."""
    if isinstance(value, float) and not math.isfinite(value):
        return "$nan" if math.isnan(value) else "$inf" if value > 0 else "$-inf"
    return value


def is_number(value: Any) -> bool:
    """True for what JSON calls a number, if it is finite and has at most 64 bits."""
    if isinstance(value, bool):
        return False
    if isinstance(value, int):
        return -INT64 <= value < INT64
    return isinstance(value, float) and math.isfinite(value)
