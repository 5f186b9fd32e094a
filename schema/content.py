"""What a Graph holds: functions of named nodes, attributes, dims, entries, metadata."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from .custom import CustomName
from .diagnostics import cut
from .dtypes import DType
from .expressions import MAX_LENGTH, ExpressionError, names
from .field_values import check_expression, is_number, reference
from .fields import Int, Number, Reference
from .names import Name, PublicName, is_name
from .nodes import AnyOp
from .plain_data import MAX_DEPTH, is_plain
from .strict import Strict

_T = TypeVar("_T")
_KEEPING = Lock()
FORMAT = "blox/1"
_CONSTRAINT = re.compile(r"(?P<left>[^<>=]+)(?P<sign><=|>=|==|<|>)(?P<right>[^<>=]+)")


def _dim(value: Any) -> Any:
    if isinstance(value, int) and is_number(value):
        if value < 0:
            raise PydanticCustomError("dim", "expected a size of at least 0")
        return value
    if not isinstance(value, str):
        raise PydanticCustomError("dim", "expected a size, a dim name, `...` or `_`")
    if value in ("...", "_"):
        return value
    if value.startswith("$"):
        check_expression(value)
    elif not is_name(value):
        raise PydanticCustomError("dim", "expected a size, a dim name, `...` or `_`")
    return value


def _constraint(text: str) -> str:
    match = _CONSTRAINT.fullmatch(text) if len(text) <= 2 * MAX_LENGTH else None
    try:
        if match is None:
            raise ExpressionError("expected a comparison such as `cached >= seq`")
        names(match["left"].strip(" "))
        names(match["right"].strip(" "))
    except ExpressionError as error:
        raise PydanticCustomError("constraint", "{why}", {"why": str(error)}) from None
    return text


def split_constraint(text: str) -> tuple[str, str, str]:
    """The left side, the sign and the right side of a constraint."""
    match = _CONSTRAINT.fullmatch(text)
    assert match is not None
    return match["left"].strip(" "), match["sign"], match["right"].strip(" ")


Dim = Annotated[
    Any,
    PlainValidator(_dim),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string"}]}),
]


def _extra(value: Any) -> Any:
    if is_plain(value):
        return value
    raise PydanticCustomError(
        "extra",
        "expected text, a finite number, true, false, null, or lists and objects of "
        "them, at most {depth} within each other",
        {"depth": MAX_DEPTH},
    )


Extra = Annotated[
    Any,
    PlainValidator(_extra),
    WithJsonSchema(
        {"type": ["string", "number", "boolean", "null", "array", "object"]}
    ),
]
Constraint = Annotated[str, AfterValidator(_constraint)]


Shape = Annotated[list[Dim] | None, Field(max_length=32)]


class Input(Strict):
    """An input of a function: its shape binds dims, its dtype is checked at calls.

    With `copies` it is a list of so many arrays, each of this shape and dtype.
    """

    shape: Shape = None
    dtype: Literal[DType, "key"] | None = None
    copies: Int | None = None
    optional: bool = False
    doc: str = ""

    @property
    def is_array(self) -> bool:
        """True of one array that is always there: no key, no list."""
        return not self.optional and self.dtype != "key" and self.copies is None


class Output(Strict):
    """An output of a function: a value of it, and what is promised of that.

    A text is the same as an object of nothing but a `value`, and canonical then.
    """

    value: Reference
    shape: Shape = None
    dtype: DType | None = None
    next: Name | None = None
    """The input of which it is the next value."""
    doc: str = ""

    @property
    def is_bare(self) -> bool:
        """True where nothing is said of the value."""
        promised = (self.shape, self.dtype, self.next)
        return not self.doc and all(part is None for part in promised)


def _output(given: Any) -> Any:
    if isinstance(given, (Output, dict)):
        return given
    if isinstance(given, str):
        return Output.unchecked(value=reference(given))
    raise PydanticCustomError(
        "output", "expected a reference such as `name`, or an object with a `value`"
    )


def dump_output(output: Output) -> str | dict[str, Any]:
    """An output as plain data: a text where that says it all."""
    if output.is_bare:
        return output.value
    data = output.model_dump(mode="json")
    return {k: v for k, v in data.items() if v is not None and v != ""}


AnyOutput = Annotated[
    Output,
    BeforeValidator(_output, json_schema_input_type=Reference | Output),
    PlainSerializer(dump_output),
]


def type_text(given: Input | Output) -> str:
    """`int32[batch, seq]`, as far as it is declared, `list of $depth float[seq]`; a key
    has no shape to speak of.
    """
    shape = ""
    if given.shape is not None and given.dtype != "key":
        shape = f"[{', '.join(map(str, given.shape))}]"
    text = f"{given.dtype or ''}{shape}"
    copies = given.copies if isinstance(given, Input) else None
    return text if copies is None else f"list of {copies} {text}".rstrip()


class Function(Strict):
    """Named inputs, ordered named nodes, named outputs; closed over nothing."""

    doc: str = ""
    attributes: list[PublicName] = []
    inputs: dict[PublicName, Input] = {}
    nodes: dict[Name, AnyOp] = {}
    outputs: dict[Name, AnyOutput] = Field(min_length=1)

    def __repr__(self) -> str:
        """On one line, whatever its size."""
        return cut(f"<Function {signature(self)}; {len(self.nodes)} nodes", ">")

    __str__ = __repr__


def signature(function: Function) -> str:
    """The names alone: `(tokens, mask) -> logits`."""
    return f"({', '.join(function.inputs)}) -> {', '.join(function.outputs)}"


class Bounds(Strict):
    """What a dim may be: an integer of `min` to `max` that `multiple_of` divides."""

    min: Int | None = None
    max: Int | None = None
    multiple_of: Int | None = None


class Metadata(Strict):
    """What people want to know of a model. Text only; nothing in it is followed."""

    description: str = ""
    license: str = ""
    source: str = ""
    citation: str = ""
    authors: list[str] = []
    tags: list[str] = []
    extra: dict[str, Extra] = {}


class Content(Strict):
    """The fields of a Graph."""

    # It never changes: what is computed of it once is kept with it, and goes with it.
    __slots__ = ("_digest", "_resolved")

    format: Literal["blox/1"] = "blox/1"
    name: PublicName
    attributes: dict[PublicName, Number] = {}
    dims: dict[PublicName, Bounds] = {}
    constraints: list[Constraint] = []
    entries: list[Name] = Field(default=["main"], min_length=1)
    ops: dict[CustomName, Name] = {}
    functions: dict[PublicName, Function] = Field(min_length=1)
    metadata: Metadata = Metadata()

    def once(
        self, slot: Literal["_digest", "_resolved"], compute: Callable[[Self], _T]
    ) -> _T:
        """What `compute` makes of the Graph, which never changes. Copies lack it.

        Threads that ask at once may all compute it, and get the same object.
        """
        try:
            found: _T = getattr(self, slot)
        except AttributeError:
            made = compute(self)
            with _KEEPING:
                found = getattr(self, slot, made)
                object.__setattr__(self, slot, found)
        return found

    def forget(self, slot: Literal["_resolved"]) -> None:
        """Drops what `once` keeps: what is registered here has changed."""
        with _KEEPING, suppress(AttributeError):  # as another thread did
            object.__delattr__(self, slot)
