"""The Graph: functions of named nodes, attributes, dims, entries, metadata."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    Field,
    PlainValidator,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from .custom import CustomName
from .diagnostics import Diagnostic, SpecError, quote
from .dtypes import DType
from .expressions import MAX_LENGTH, ExpressionError, names
from .fields import Int, Number, Reference, is_number
from .names import Name, PublicName, is_name
from .nodes import AnyOp
from .pause import uncollected
from .strict import Strict

if TYPE_CHECKING:
    from .resolve.program import Program

_T = TypeVar("_T")
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
        try:
            names(value)
        except ExpressionError as error:
            raise PydanticCustomError(
                "expression", "{why}", {"why": str(error)}
            ) from None
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
    if isinstance(value, (str, bool)) or is_number(value):
        return value
    raise PydanticCustomError("extra", "expected text, a number, true or false")


Extra = Annotated[
    str | int | float | bool,
    PlainValidator(_extra),
    WithJsonSchema({"type": ["string", "number", "boolean"]}),
]
Constraint = Annotated[str, AfterValidator(_constraint)]


class Input(Strict):
    """An input of a function: its shape binds dims, its dtype is checked at calls."""

    shape: list[Dim] | None = Field(default=None, max_length=32)
    dtype: Literal[DType, "key"] | None = None
    optional: bool = False
    doc: str = ""


class Function(Strict):
    """Named inputs, ordered named nodes, named outputs; closed over nothing."""

    doc: str = ""
    attributes: list[PublicName] = []
    inputs: dict[PublicName, Input] = {}
    nodes: dict[Name, AnyOp] = {}
    outputs: dict[Name, Reference] = Field(min_length=1)


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


class Graph(Strict):
    """A model without its arrays: what is computed, as data."""

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

    @classmethod
    def parse(cls, data: Any) -> Graph:
        """A Graph from plain data. Its fields are checked, its meaning not yet.

        Raises:
            SpecError: every faulty field in one error.
        """
        wrong = list(_check_format(data))
        try:
            with uncollected():
                graph = cls.model_validate(data)
        except ValidationError as error:
            from .parse.pydantic_errors import field_diagnostics

            # Another version may differ in everything else.
            rest = [] if wrong and "format" in data else field_diagnostics(error, data)
            raise SpecError([*wrong, *rest]) from None
        if wrong:
            raise SpecError(wrong)
        return graph

    def replace_attributes(self, **values: int | float) -> Graph:
        """The same model with other hyper-parameters: `replace_attributes(depth=2)`.

        Raises:
            SpecError: a name that is not an attribute of the graph, or a model that is
                not sound: sizes that are written as numbers stay, and are named.
        """
        from .resolve.replace import replace_attributes

        return replace_attributes(self, values)

    def plain(self) -> dict[str, Any]:
        """The Graph as plain data in canonical order, less what has no meaning."""
        from .write.canonical import plain

        return plain(self)

    def program(self) -> Program:
        """The checked and resolved Graph. Computed once.

        Raises:
            SpecError: every fault of meaning in one error.
        """
        from .resolve.resolver import program

        return program(self)

    @property
    def digest(self) -> str:
        """`sha256:` and the hash of the canonical msgpack. Computed once."""
        from .write.canonical import digest

        return self.once("_digest", digest)

    def once(
        self, slot: Literal["_digest", "_resolved"], compute: Callable[[Graph], _T]
    ) -> _T:
        """What `compute` makes of the Graph, which never changes. Copies lack it."""
        try:
            found: _T = getattr(self, slot)
        except AttributeError:
            found = compute(self)
            object.__setattr__(self, slot, found)
        return found

    def forget(self, slot: Literal["_resolved"]) -> None:
        """Drops what `once` keeps: what is registered here has changed."""
        object.__delattr__(self, slot)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Graph):
            return NotImplemented
        return self is other or self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)


def _check_format(data: Any) -> Iterator[Diagnostic]:
    if not isinstance(data, dict):
        return
    if "format" not in data:
        yield Diagnostic(
            "format-missing",
            "format",
            f"expected {quote(FORMAT)}, found none",
            f'add "format": "{FORMAT}" if this file is a graph of blox',
        )
    elif data["format"] != FORMAT:
        found = data["format"]
        newer = isinstance(found, str) and re.fullmatch(r"blox/[0-9]{1,9}", found)
        yield Diagnostic(
            "format-version",
            "format",
            f"this blox reads {quote(FORMAT)}, found {quote(found)}",
            "upgrade blox-format to read this file" if newer else "",
        )
