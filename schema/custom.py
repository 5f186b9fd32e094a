"""Nodes of ops that are no core ops, `acme:rope`: their fields as the file has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from .fields import is_number
from .names import is_name
from .op import Op
from .registry import CUSTOM

MAX_DEPTH = 8

CustomName = Annotated[
    str,
    PlainValidator(lambda value: _op_name(value)),
    WithJsonSchema({"type": "string", "pattern": f"^{CUSTOM.pattern}$"}),
]


class Custom(Op):
    """A node whose meaning is a body in `ops` of the Graph, or what is registered here.

    It says the same whatever is registered: text, digest and round trips don't depend
    on it. The resolver puts a call of the body, or the registered op, in its place.
    """

    given: dict[str, Any] = {}
    """The fields but `op`, in the order of the file."""

    @classmethod
    def of(cls, data: dict[str, Any]) -> Custom:
        """The node of plain data.

        Raises:
            PydanticCustomError: a field that is no plain data, or has no name.
        """
        given = {name: value for name, value in data.items() if name != "op"}
        for name, value in given.items():
            if not isinstance(name, str) or not is_name(name):
                raise PydanticCustomError("field", "expected fields that have names")
            if not _is_plain(value, MAX_DEPTH):
                raise PydanticCustomError(
                    "plain", "expected fields of text, numbers, lists and objects"
                )
        return cls(op=data["op"], given=given)

    def expressions(self) -> Iterator[tuple[str, str]]:
        return iter(())

    def plain(self) -> dict[str, Any]:
        """The node as plain data, parameter options last."""
        last = ("names", "params", "init", "axes", "frozen")
        order = [*(n for n in self.given if n not in last), *last]
        found = {n: _copied(self.given[n]) for n in order if n in self.given}
        return {"op": self.op, **found}


def _op_name(value: Any) -> str:
    if isinstance(value, str) and CUSTOM.fullmatch(value):
        return value
    raise PydanticCustomError(
        "op_name",
        "expected the name of an op that is no core op, such as `acme:rope`",
    )


def _is_plain(value: Any, depth: int) -> bool:
    if value is None or isinstance(value, (str, bool)) or is_number(value):
        return True
    if depth == 0:
        return False
    if isinstance(value, list):
        return all(_is_plain(part, depth - 1) for part in value)
    if isinstance(value, dict):
        return all(
            isinstance(key, str) and _is_plain(part, depth - 1)
            for key, part in value.items()
        )
    return False


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(part) for key, part in value.items()}
    return [_copied(part) for part in value] if isinstance(value, list) else value
