"""Ops that ask what flows in before they run, as some would loop over what a file says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from blox.schema import ModelError
from blox.schema.diagnostics import Diagnostic
from blox.schema.op import Op


def bounded(op: Op, call: Callable[..., Any]) -> Callable[..., Any]:
    """The function of an op, behind the limits that the op declares of its operands.

    Raises:
        ModelError: when called, with the field of each problem as its path.
    """
    of_shapes = type(op).operand_problems is not Op.operand_problems
    of_dtypes = type(op).dtype_problems is not Op.dtype_problems
    if not of_shapes and not of_dtypes:
        return call
    fields = op.fields()

    def run(*arguments: Any, **keywords: Any) -> Any:
        given = {**dict(zip(fields.operands, arguments, strict=False)), **keywords}
        arrays = {
            name: value
            for name, value in given.items()
            if name not in fields.attributes and not isinstance(value, list)
            if value is not None
        }
        shapes = {name: jnp.shape(value) for name, value in arrays.items()}
        resolved = {n: given[n] for n in fields.attributes if n in given}
        whole = op.unchecked_copy(**resolved)
        problems = [*whole.operand_problems(shapes)]
        if of_dtypes:
            dtypes = {n: str(jnp.result_type(x)) for n, x in arrays.items()}
            problems += whole.dtype_problems(dtypes)
        found = [Diagnostic("attribute", p.field, p.message) for p in problems]
        if found:
            raise ModelError(found)
        return call(*arguments, **keywords)

    return run
