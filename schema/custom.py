"""Nodes of ops that are no core ops, `acme:rope`: their fields as the file has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from .names import is_name
from .op import Op
from .plain_data import copied, is_plain
from .registry import CUSTOM

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
            if not is_plain(value):
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
        found = {n: copied(self.given[n]) for n in order if n in self.given}
        return {"op": self.op, **found}


def _op_name(value: Any) -> str:
    if isinstance(value, str) and CUSTOM.fullmatch(value):
        return value
    raise PydanticCustomError(
        "op_name",
        "expected the name of an op that is no core op, such as `acme:rope`",
    )
