"""The Graph: functions of named nodes, attributes, dims, entries, metadata."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    PlainValidator,
    StrictFloat,
    StrictInt,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from .errors import Diagnostic, SpecError, quote
from .expressions import ExpressionError, names
from .fields import Reference
from .names import NAME, Name, PublicName
from .op import Op
from .parameters import DType
from .registry import op_class
from .strict import Strict

if TYPE_CHECKING:
    from .resolve import Program

FORMAT = "blox/1"
WISHES = ("names", "params", "init", "axes", "frozen")
Scalar = StrictInt | StrictFloat
_CONSTRAINT = re.compile(r"(?P<left>[^<>=]+)(?P<sign><=|>=|==|<|>)(?P<right>[^<>=]+)")


def _node(value: Any) -> Op:
    if isinstance(value, Op):
        return value
    if not isinstance(value, dict):
        raise PydanticCustomError("node", "expected an object with an `op`")
    name = value.get("op")
    cls = op_class(name) if isinstance(name, str) else None
    if cls is None:
        raise PydanticCustomError(
            "unknown_op",
            "expected the name of an op, found {found}",
            {"found": quote(name)},
        )
    return cls.model_validate(value)


def dump_node(node: Op) -> dict[str, Any]:
    """A node as plain data: what is semantic always, what is a wish only where given."""
    fields = type(node).fields()
    data = node.model_dump(mode="json", by_alias=True)
    result: dict[str, Any] = {"op": node.op}
    names = type(node).model_fields
    for name in (*(n for n in names if n not in WISHES), *WISHES):
        if name not in names:
            continue
        key = names[name].alias or name
        value = data[key]
        empty = value in ({}, []) or (name in fields.minima and value is None)
        if name in fields.attributes and not empty or value not in (None, {}, []):
            result[key] = value
    return result


AnyOp = Annotated[Op, PlainValidator(_node), PlainSerializer(dump_node)]


def _dim(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise PydanticCustomError("dim", "expected a size, a dim name, `...` or `_`")
    if isinstance(value, int):
        if value < 0:
            raise PydanticCustomError("dim", "expected a size of at least 0")
        return value
    if value in ("...", "_"):
        return value
    if value.startswith("$"):
        try:
            names(value)
        except ExpressionError as error:
            raise PydanticCustomError(
                "expression", "{why}", {"why": str(error)}
            ) from None
    elif not re.fullmatch(NAME, value) or len(value) > 64:
        raise PydanticCustomError("dim", "expected a size, a dim name, `...` or `_`")
    return value


def _constraint(text: str) -> str:
    match = _CONSTRAINT.fullmatch(text)
    try:
        if match is None:
            raise ExpressionError("expected a comparison such as `cached >= seq`")
        names(match["left"].strip())
        names(match["right"].strip())
    except ExpressionError as error:
        raise PydanticCustomError("constraint", "{why}", {"why": str(error)}) from None
    return text


def split_constraint(text: str) -> tuple[str, str, str]:
    """The left side, the sign and the right side of a constraint."""
    match = _CONSTRAINT.fullmatch(text)
    assert match is not None
    return match["left"].strip(), match["sign"], match["right"].strip()


Dim = Annotated[
    Any,
    PlainValidator(_dim),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string"}]}),
]


class Input(Strict):
    """An input of a function: its shape binds dims, its dtype is checked at the call."""

    shape: list[Dim] | None = Field(default=None, max_length=32)
    dtype: DType | Literal["key"] | None = None
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

    min: StrictInt | Annotated[str, AfterValidator(_dim)] | None = None
    max: StrictInt | Annotated[str, AfterValidator(_dim)] | None = None
    multiple_of: StrictInt | Annotated[str, AfterValidator(_dim)] | None = None


class Metadata(Strict):
    """What people want to know of a model. Text only; nothing in it is ever followed."""

    description: str = ""
    license: str = ""
    source: str = ""
    citation: str = ""
    authors: list[str] = []
    tags: list[str] = []
    extra: dict[str, str | Scalar | bool] = {}


class Graph(Strict):
    """A model without its arrays: what is computed, as data."""

    format: Literal["blox/1"] = "blox/1"
    name: PublicName
    attributes: dict[PublicName, Scalar] = {}
    dims: dict[PublicName, Bounds] = {}
    constraints: list[Annotated[str, AfterValidator(_constraint)]] = []
    entries: list[Name] = Field(default=["main"], min_length=1)
    functions: dict[PublicName, Function] = Field(min_length=1)
    metadata: Metadata = Metadata()

    @classmethod
    def parse(cls, data: Any) -> Graph:
        """A Graph from plain data (not yet checked beyond the form of its parts).

        Raises:
            SpecError: every fault of form in one error.
        """
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise SpecError(form_diagnostics(error)) from None

    def replace_attributes(self, **values: int | float) -> Graph:
        """The same model with other hyper-parameters: `replace_attributes(depth=2)`.

        Raises:
            SpecError: a name that is not an attribute of the graph.
        """
        for name in values:
            if name not in self.attributes:
                have = ", ".join(self.attributes) or "none"
                raise SpecError.one(
                    "attribute",
                    f"attributes.{name}",
                    f"expected an attribute of the graph ({have})",
                )
        data = self.plain()
        data["attributes"] = {**self.attributes, **values}
        return Graph.parse(data)

    def plain(self) -> dict[str, Any]:
        """The Graph as plain data in canonical order, defaults of no meaning left out."""
        from .canonical import plain

        return plain(self)

    def program(self) -> Program:
        """The checked and resolved Graph. Computed once.

        Raises:
            SpecError: every fault of meaning in one error.
        """
        from .resolve import program

        return program(self)

    @property
    def digest(self) -> str:
        """`sha256:` and the hash of the canonical msgpack."""
        from .canonical import digest

        return digest(self)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core: Any, handler: GetJsonSchemaHandler
    ) -> Any:
        return handler(core)


def form_diagnostics(error: ValidationError) -> list[Diagnostic]:
    """Pydantic's findings as diagnostics: the graph path, expected, found."""
    found = []
    for item in error.errors(include_url=False, include_context=False):
        parts = [p for p in item["loc"] if p not in ("functions", "[key]")]
        path = ".".join(_path_part(p) for p in parts)
        value = item["input"]
        shown = (
            f", found {quote(value)}"
            if isinstance(value, (str, int, float, type(None)))
            and "found" not in item["msg"]
            else ""
        )
        message = item["msg"][0].lower() + item["msg"][1:]
        if item["type"] == "extra_forbidden":
            message, shown = "expected no such field", ""
        found.append(
            Diagnostic(f"form-{item['type']}".replace("_", "-"), path, message + shown)
        )
    return found


def _path_part(part: Any) -> str:
    text = str(part)
    return text if re.fullmatch(r"[\w.\-\[\]]{1,80}", text, re.ASCII) else quote(text)
