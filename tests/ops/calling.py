"""Calls of an op's function as the loader makes them, without a Graph around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
from pydantic import TypeAdapter

from blox.ops.library import argument, op_function
from blox.schema import Op, op_class
from blox.schema.nodes import AnyOp

NODE: TypeAdapter[Op] = TypeAdapter(AnyOp)


def node(name: str, attributes: Mapping[str, Any], operands: Sequence[Any]) -> Op:
    """The op, with references in place of the operands that are there."""
    cls = op_class(name)
    assert cls is not None, name
    data: dict[str, Any] = {"op": name, **attributes}
    for (field, mark), value in zip(
        cls.fields().operands.items(), operands, strict=False
    ):
        if value is not None:
            many = [f"{field}{i}" for i in range(len(value))] if mark.many else field
            data[field] = many
    return NODE.validate_python(data)


def call(
    op: Op,
    operands: Sequence[Any],
    params: Mapping[str, Any],
    *,
    dtype: Any = jnp.float32,
    train: bool = True,
) -> Any:
    """The outputs of a node; (outputs, state) where it is stateful."""
    op = op.resolve({})
    function = op_function(op.op)
    keywords: dict[str, Any] = dict(params)
    for name in function.attributes:
        value = argument(getattr(op, name), index=name in op.fields().indices)
        model = name in op.fields().dtypes and value == "float"
        keywords[name] = dtype if model else value
    if op.TRAIN:
        keywords["train"] = train
    leaf = [keywords.pop("")] if "" in keywords else []
    return function.call(*operands, *leaf, **keywords)
