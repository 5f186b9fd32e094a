"""Inputs of an entry: dtypes, shapes, bounds of dims and constraints, at call time."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from blox.schema import ModelError
from blox.schema.errors import Diagnostic
from blox.schema.expressions import evaluate
from blox.schema.fields import is_expression
from blox.schema.graph import split_constraint
from blox.schema.program import Instance, Program

from .context import describe

COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "<=": operator.le, ">=": operator.ge, "==": operator.eq,
    "<": operator.lt, ">": operator.gt,
}  # fmt: skip


class Signature:
    """Binds arguments to the inputs of an entry and checks them."""

    def __init__(self, program: Program, instance: Instance) -> None:
        self.inputs = instance.function.inputs
        self.names = tuple(self.inputs)
        self.entry = instance.name
        self.values = instance.values
        graph = program.graph
        self.bounds = {}
        for name, bounds in graph.dims.items():
            self.bounds[name] = {
                field: evaluate(v, graph.attributes) if is_expression(v) else v
                for field, v in bounds
                if v is not None
            }
        self.constraints = [
            (text, *split_constraint(text)) for text in graph.constraints
        ]

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """The inputs by name, as arrays; optional ones that are absent are None.

        Raises:
            ModelError: every input that is missing, unknown, or not as declared.
        """
        faults: list[Diagnostic] = []
        if len(args) > len(self.names):
            text = f"expected at most {len(self.names)} inputs, found {len(args)}"
            faults.append(Diagnostic("inputs", self.entry, text, self._takes()))
        given = dict(zip(self.names, args, strict=False))
        for name, value in kwargs.items():
            if name in given or name not in self.inputs:
                text = "given twice" if name in given else "no such input"
                faults.append(
                    Diagnostic("inputs", f"{self.entry}.{name}", text, self._takes())
                )
            else:
                given[name] = value
        result: dict[str, Any] = {}
        sizes: dict[str, Any] = {}
        for name, spec in self.inputs.items():
            value = given.get(name)
            path = f"{self.entry}.{name}"
            if value is None:
                if not spec.optional:
                    faults.append(
                        Diagnostic(
                            "inputs",
                            path,
                            "expected an array, found nothing",
                            self._takes(),
                        )
                    )
                result[name] = None
                continue
            value = value if isinstance(value, jax.Array) else jnp.asarray(value)
            result[name] = value
            problem = _dtype_problem(value, spec.dtype) or self._shape_problem(
                value, spec.shape or [], sizes
            )
            if problem:
                faults.append(Diagnostic("inputs", path, problem))
        if not faults:
            faults = self._bound_faults(sizes)
        if faults:
            raise ModelError(faults)
        return result

    def _takes(self) -> str:
        return f"inputs are {', '.join(self.names) or 'none'}"

    def _shape_problem(
        self, value: Any, shape: list[Any], sizes: dict[str, Any]
    ) -> str:
        found = value.shape
        text = f"expected shape {shape}, found {list(found)}"
        if "..." in shape:
            at = shape.index("...")
            after = len(shape) - at - 1
            if len(found) < len(shape) - 1:
                return text
            pairs = [*zip(shape[:at], found, strict=False)]
            pairs += zip(shape[at + 1 :], found[len(found) - after :], strict=True)
        elif len(found) != len(shape):
            return text
        else:
            pairs = [*zip(shape, found, strict=True)]
        for wanted, size in pairs:
            if is_expression(wanted):
                known = {**self.values, **sizes}
                if evaluate(wanted, known) != size:
                    return text
            elif isinstance(wanted, int):
                if wanted != size:
                    return text
            elif wanted != "_":
                if sizes.setdefault(wanted, size) != size:
                    return f"{text}, where {wanted} is {sizes[wanted]} elsewhere"
        return ""

    def _bound_faults(self, sizes: dict[str, Any]) -> list[Diagnostic]:
        faults = []
        for name, bounds in self.bounds.items():
            size = sizes.get(name)
            if size is None:
                continue
            for field, bound in bounds.items():
                wrong = {
                    "min": lambda s, b: s < b,
                    "max": lambda s, b: s > b,
                    "multiple_of": lambda s, b: s % b != 0,
                }[field](size, bound)
                if wrong:
                    wanted = {"min": "at least", "max": "at most"}.get(
                        field, "a multiple of"
                    )
                    text = f"expected {wanted} {bound}, found {size}"
                    faults.append(Diagnostic("dims", f"{self.entry}.{name}", text))
        known = {**self.values, **sizes}
        for text, left, sign, right in self.constraints:
            try:
                holds = COMPARE[sign](evaluate(left, known), evaluate(right, known))
            except ValueError:
                continue  # it speaks of a dim that this entry doesn't have
            if not holds:
                found = ", ".join(f"{n} {s}" for n, s in sizes.items())
                faults.append(
                    Diagnostic("dims", self.entry, f"expected {text}, found {found}")
                )
        return faults


def _dtype_problem(value: Any, dtype: str | None) -> str:
    if dtype == "key":
        if jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
            return ""
        return f"expected a key such as jax.random.key(0), found {describe(value)}"
    if dtype == "float":
        if jnp.issubdtype(value.dtype, jnp.floating):
            return ""
        return f"expected a floating dtype, found {value.dtype}"
    if dtype is not None and value.dtype != jnp.dtype(dtype):
        return f"expected dtype {dtype}, found {value.dtype}"
    return ""
