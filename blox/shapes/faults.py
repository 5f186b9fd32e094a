"""Faults of shapes, in one line each, and those that JAX lets pass."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax

from blox.schema import ModelError
from blox.schema.diagnostics import Diagnostic
from blox.schema.dtypes import COMPLEX
from blox.schema.op import Op
from blox.schema.resolve.program import Args

from .symbolic import is_symbolic


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong at a node, in one line.

    `decided` is False where JAX can't decide over symbolic sizes.
    """

    code: str
    message: str
    hint: str = ""
    decided: bool = True
    field: str = ""


def one_line(text: str) -> str:
    """Text of JAX on one line, of at most 500 characters."""
    text = re.sub(r"\s+", " ", text).strip()
    return text if len(text) <= 500 else text[:497] + "..."


def rounding_hint(text: str) -> str:
    """What to do where sizes that a division rounds don't fit; else nothing."""
    if "floordiv(" not in text and "mod(" not in text:
        return ""
    return "where only some sizes fit, dims say which are meant: multiple_of=2"


def check_state(state: Any, params: Any) -> None:
    for name, new in (state or {}).items():
        old = params[name]
        if (new.shape, new.dtype) != (old.shape, old.dtype):
            raise ValueError(
                f"expected the next {name} to be as the one before, "
                f"{old.dtype}{list(old.shape)}, found {new.dtype}{list(new.shape)}"
            )


def check_count(x: Any, y: Any) -> None:
    """Refuses what JAX lets pass: a symbolic shape of another number of elements."""
    before, after = math.prod(x.shape), math.prod(y.shape)
    if is_symbolic(before - after):
        raise undecided(f"can't tell that {x.shape} has as many elements as {y.shape}")
    if before != after:
        raise TypeError(f"cannot reshape array of shape {x.shape} into shape {y.shape}")


def check_complex(op: Op, args: Args, given: Sequence[Any]) -> None:
    """Refuses complex numbers where an op is one of real ones.

    Args:
        op: the op.
        args: what it takes by name, each source being a number of `given`.
        given: what flows in.
    """
    found: dict[str, str] = {}
    for name, arg in args.items():
        for part in arg if isinstance(arg, list) else [arg]:
            value = None if part.source is None else given[int(part.source)]
            if value is not None and str(value.dtype) in COMPLEX:
                found[name] = str(value.dtype)
    problems = op.complex_problems(found) if found else ()
    faults = [Diagnostic("dtype", p.field, p.message) for p in problems]
    if faults:
        raise ModelError(faults)


def undecided(text: str) -> Exception:
    return jax.errors.InconclusiveDimensionOperation(text)


def is_decided(error: BaseException | None) -> bool:
    """False where an error of JAX says that it can't decide, not that it is wrong."""
    while error is not None:
        if isinstance(error, jax.errors.InconclusiveDimensionOperation):
            return False
        if re.search(
            r"inconclusive|[Ss]ymbolic|[Pp]olymorphi|_DimExpr|Tracer", str(error)
        ):
            return False
        error = error.__cause__
    return True
