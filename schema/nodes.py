"""Nodes: from plain data to the class of their op, and back."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator
from pydantic_core import PydanticCustomError

from .custom import Custom
from .op import Op, ParamOp
from .registry import CUSTOM, op_class

PARAMETER_OPTIONS = ("params", "init", "axes", "frozen")
_LAST = ("names", *PARAMETER_OPTIONS)


def _node(value: Any) -> Op:
    if isinstance(value, Op):
        return value
    if not isinstance(value, dict):
        raise PydanticCustomError("node", "expected an object with an `op`")
    name = value.get("op")
    if isinstance(name, str) and ":" in name and CUSTOM.fullmatch(name):
        return Custom.of(value)
    cls = op_class(name) if isinstance(name, str) else None
    if cls is None:
        raise PydanticCustomError("unknown_op", "expected the name of an op")
    return cls.model_validate(value)


def dump_node(node: Op) -> dict[str, Any]:
    """A node as plain data: what has a meaning always, parameter options where given."""
    if isinstance(node, Custom):
        return node.plain()
    cls = type(node)
    fields = cls.fields()
    data = node.model_dump(mode="json", by_alias=True)
    result: dict[str, Any] = {"op": node.op}
    infos = cls.model_fields
    for name in (*(n for n in infos if n not in _LAST), *_LAST):
        if name not in infos:
            continue
        info = infos[name]
        key = info.alias or name
        value = data[key]
        # The sizes of parameters may be inferred; any other null is a meaning.
        inferred = issubclass(cls, ParamOp) and name in fields.minima
        meant = name in fields.attributes and not inferred
        absent = value in ({}, []) or (value is None and not meant)
        if not absent or value != _default(cls, name):
            result[key] = value
    return result


@cache
def _default(cls: type[Op], name: str) -> Any:
    """The default of a field; of one that has none, what equals nothing."""
    info = cls.model_fields[name]
    return object() if info.is_required() else info.get_default()


AnyOp = Annotated[Op, PlainValidator(_node), PlainSerializer(dump_node)]
