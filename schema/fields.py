"""The types of an op's fields: operands, parameter slots and attributes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import Field, PlainValidator, WithJsonSchema

from .expressions import INFINITE
from .field_values import (
    check_expression,
    fail,
    infinite_text,
    is_number,
    item,
    reference,
)
from .names import NAME, PATH, PLACE

MAX_PATH = 32
"""Names in the path that a node gives its parameters."""
EXPRESSION = r"^\$[A-Za-z0-9_ .,+\-*/%()]+$"


@dataclass(frozen=True, slots=True)
class Operand:
    """Marks a field that takes values of the function, by reference."""

    kind: Literal["tensor", "key", "list", "tensor or list"] = "tensor"
    optional: bool = False
    many: Literal["", "list", "map"] = ""


@dataclass(frozen=True, slots=True)
class Slot:
    """Marks a parameter that is stored, unless the field gives a reference instead."""


class Hint:
    """The base of marks that say something to tools; a file means the same without."""


@dataclass(frozen=True, slots=True)
class SizeOf(Hint):
    """Marks an attribute that is the size of an axis of an operand or an output.

    The builder fills a size that is not given from the operand `of`, and writes that of
    an output as the attribute does: `$width`.

    Args:
        of: the operand or the output; the first of an operand that is a list.
        axis: the axis, or the attribute that holds it.
        each: True where a list has a size for each output, and a number is none.
    """

    of: str
    axis: int | str = -1
    each: bool = False


@dataclass(frozen=True, slots=True)
class ShapeOf(Hint):
    """Marks a list of sizes that is the shape of an output."""

    of: str = "out"


@dataclass(frozen=True, slots=True)
class Filled(Hint):
    """Marks a required field that the class fills in itself where a file has none."""


@dataclass(frozen=True, slots=True)
class Indexing(Hint):
    """Marks an attribute that is what stands between the brackets of `x[...]`."""


class Timing(Hint):
    """Marks an attribute that says when a node acts; its function does not take it."""


@dataclass(frozen=True, slots=True)
class Elsewhere(Hint):
    """Marks a slot: what the parameter is called in PyTorch and transformers.

    Args:
        name: its last name there, `weight`.
        transposed: True of a kernel, which is (out, in, spatial...) there.
    """

    name: str
    transposed: bool = False


@dataclass(frozen=True, slots=True)
class Minimum:
    """The least value of an integer attribute, checked once it is known."""

    value: int


def _value(value: Any) -> Any:
    value = infinite_text(value)
    if is_number(value) or isinstance(value, bool):
        return value
    if isinstance(value, str):
        if is_expression(value):
            return check_expression(value, infinite=True)
        return reference(value)
    raise fail("operand", "expected a reference, a number, true or false")


def _int(value: Any) -> Any:
    if is_expression(value):
        return check_expression(value)
    if isinstance(value, int) and is_number(value):
        return value
    raise fail("integer", "expected a 64-bit integer or an expression such as `$width`")


def _float(value: Any) -> Any:
    if is_number(value):
        return float(value)
    if is_expression(value):
        return check_expression(value)
    raise fail(
        "number", "expected a finite number or an expression such as `$width ** 0.5`"
    )


def _scalar(value: Any) -> Any:
    return value if isinstance(value, int) and is_number(value) else _float(value)


def _fill(value: Any) -> Any:
    value = infinite_text(value)
    is_infinite = isinstance(value, str) and value in INFINITE
    return value if is_infinite else _scalar(value)


def _number(value: Any) -> Any:
    if is_number(value):
        return value
    raise fail("number", "expected a finite number of at most 64 bits")


def _arguments(value: Any) -> Any:
    def argument(given: Any) -> Any:
        if not isinstance(given, list):
            return _value(given)
        if given and all(isinstance(v, bool) for v in given):
            return given
        return [item(_fill, v, i) for i, v in enumerate(given)]

    if isinstance(value, dict):
        return {name: item(argument, given, name) for name, given in value.items()}
    if isinstance(value, list):
        return [item(_value, given, i) for i, given in enumerate(value)]
    raise fail("arguments", "expected values by input name or in a list")


def _path(text: Any) -> Any:
    if isinstance(text, str) and len(text) <= 512 and PATH.fullmatch(text):
        if text.count(".") < MAX_PATH:
            return text
        raise fail("path", "expected a parameter path of at most 32 names")
    raise fail(
        "path", "expected `.` or a parameter path such as `name.name` or `layers.0`"
    )


def _schema(kind: str, pattern: str) -> WithJsonSchema:
    parts: list[dict[str, Any]] = [
        {"type": "string", "pattern": pattern, "maxLength": 256}
    ]
    if kind:
        parts.insert(0, {"type": kind})
    return WithJsonSchema({"anyOf": parts} if kind else parts[0])


_REF = rf"^{NAME}(\.{NAME})?$"
_ANY = rf"{_REF}|{EXPRESSION}"
_item = {
    "anyOf": [
        {"type": ["number", "boolean"]},
        {"type": "string", "pattern": _ANY, "maxLength": 256},
    ]
}
_literals = {"type": "array", "items": {"type": ["number", "boolean", "string"]}}

ParamPath = Annotated[str, PlainValidator(_path), _schema("", rf"^\.$|^{PLACE}$")]
"""Where a node's parameters lie in the function's scope; `.` is the scope itself."""

Reference = Annotated[str, PlainValidator(reference), _schema("", _REF)]
Value = Annotated[
    bool | int | float | str, PlainValidator(_value), WithJsonSchema(_item)
]
Tensor = Annotated[Value, Operand()]
"""A reference, a number, a boolean, or an expression that is a number; of floats the
infinite ones too: `$inf`, `$-inf`, `$nan`."""
OptionalTensor = Annotated[Value | None, Operand(optional=True)]
Tensors = Annotated[list[Value], Operand(many="list"), Field(min_length=1)]
TensorMap = Annotated[
    dict[str, Any] | list[Any],
    PlainValidator(_arguments),
    WithJsonSchema(
        {
            "anyOf": [
                {
                    "type": "object",
                    "additionalProperties": {"anyOf": [*_item["anyOf"], _literals]},
                },
                {"type": "array", "items": _item},
            ]
        }
    ),
    Operand(many="map"),
]
"""Arguments of a function, by input name or by position."""
Key = Annotated[Reference, Operand("key")]
OptionalKey = Annotated[Reference | None, Operand("key", optional=True)]
ParamSlot = Annotated[Reference | None, Slot()]

Int = Annotated[int | str, PlainValidator(_int), _schema("integer", EXPRESSION)]
if TYPE_CHECKING:
    # What `parameters` calculates with: an integer, or an `Unknown` in its place.
    Size: TypeAlias = Any
    OptionalSize: TypeAlias = Any
else:
    Size = Annotated[Int, Minimum(1)]
    OptionalSize = Size | None
"""An integer of at least 1, or an expression; `OptionalSize` may be left out, where
other nodes at the same path, or what flows in, decide it."""
Count = Annotated[Int, Minimum(0)]
Float = Annotated[float | str, PlainValidator(_float), _schema("number", EXPRESSION)]
"""A number, or an expression that may use `/`."""
Scalar = Annotated[
    int | float | str, PlainValidator(_scalar), _schema("number", EXPRESSION)
]
"""An integer that stays one, a float, or an expression."""
Fill = Annotated[
    int | float | str, PlainValidator(_fill), _schema("number", EXPRESSION)
]
"""A `Scalar`, or an infinite number: `$inf`, `$-inf`, `$nan`."""
Number = Annotated[
    int | float, PlainValidator(_number), WithJsonSchema({"type": "number"})
]
"""An integer that stays one, or a float."""


def is_expression(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("$")
