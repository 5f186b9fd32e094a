"""All that the importer takes from JAX's internals: what it has no public name for.

Tried with JAX 0.10 and 0.12. Everything else uses `jax`, `jax.extend.core` and `jax.export`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FunctionType
from typing import Any

import jax
import numpy as np
from jax._src import core as _core
from jax._src import source_info_util as _source_info
from jax._src.export import shape_poly as _shapes
from jax._src.interpreters import batching as _batching
from jax.extend.core import (
    ClosedJaxpr,
    InconclusiveDimensionOperation,
    Jaxpr,
    JaxprEqn,
    Literal,
    Primitive,
    Var,
    new_jaxpr_eqn,
    no_effects,
)
from jax.interpreters import ad, batching

__all__ = [
    "SYMBOLIC_ERRORS",
    "Atom",
    "ClosedJaxpr",
    "Jaxpr",
    "JaxprEqn",
    "Literal",
    "Primitive",
    "Var",
    "ad",
    "argument_names",
    "associative_scan_by",
    "batching",
    "closed_jaxpr",
    "comparisons",
    "dim_as_value_p",
    "dtype_of",
    "evaluated",
    "is_alone",
    "is_size",
    "is_symbol",
    "is_tracer",
    "max_size",
    "new_equation",
    "new_variable",
    "plain_size",
    "scan_counts",
    "shaped_array",
    "source_of",
    "terms_of",
    "user_frames",
    "when_batched",
    "with_equations",
    "with_shape",
    "written_at",
]

Atom = Var | Literal

dim_as_value_p: Primitive = _shapes.dim_as_value_p
"""A size as a number of the model."""

SYMBOLIC_ERRORS = (InconclusiveDimensionOperation,)
"""What is raised where code decides by a symbolic size."""


def is_tracer(value: Any) -> bool:
    return isinstance(value, _core.Tracer)


def is_alone() -> bool:
    """True where no trace of JAX's is under way."""
    return bool(_core.trace_state_clean())


def shaped_array(shape: Any, dtype: Any) -> Any:
    """The abstract value of an output of a primitive."""
    return _core.ShapedArray(shape, dtype)


def dtype_of(atom: Atom) -> Any:
    aval: Any = atom.aval
    return aval.dtype


def new_equation(
    inputs: list[Any], outputs: list[Any], primitive: Primitive, params: dict[str, Any]
) -> JaxprEqn:
    return new_jaxpr_eqn(inputs, outputs, primitive, params, no_effects)


def new_variable(aval: Any) -> Var:
    return Var(aval)


def scan_counts(params: Mapping[str, Any]) -> tuple[int, int]:
    """How many inputs of a scan are constants, and how many the carry that follows."""
    if "ft_in" not in params:  # before JAX 0.12
        return params["num_consts"], params["num_carry"]
    constants, carry, _ = params["ft_in"].unpack()
    return len(constants), len(carry)


def plain_size(size: Any) -> Any:
    """An integer as Python has it; a symbol as it is."""
    return int(size) if _core.is_constant_dim(size) else size


def max_size(a: Any, b: Any) -> Any:
    """The greater of two sizes, for all that symbols may be."""
    return _core.max_dim(a, b)


def source_of(jaxpr: Jaxpr) -> str:
    """`name at file:line` of the function that a jaxpr was traced from."""
    return str(jaxpr.debug_info.func_src_info or "?")


def argument_names(jaxpr: Jaxpr) -> tuple[str, ...]:
    """The names of its arguments, "" where there is none: `h`, `carry[0]`, `p['w']`."""
    names = jaxpr.debug_info.arg_names or ()
    return (*(str(n or "") for n in names), *[""] * (len(jaxpr.invars) - len(names)))


def user_frames(equation: JaxprEqn) -> Iterator[tuple[str, int, str]]:
    """(file, line, function) of the Python frames that wrote an equation, innermost first."""
    info = equation.source_info
    traceback = getattr(info, "traceback", info)
    for frame in _source_info.user_frames(traceback):
        yield frame.file_name, frame.start_line, frame.function_name


def when_batched(primitive: Primitive, rule: Callable[..., Any]) -> None:
    """Says what a primitive is under `jax.vmap`: rule(name and size of the axis, arrays, their
    places of it or None, parameters) gives an array and its place."""

    def batched(axis: Any, arrays: Any, axes: Any, **params: Any) -> Any:
        return rule(axis.name, axis.size, arrays, axes, **params)

    _batching.fancy_primitive_batchers[primitive] = batched


def evaluated(equation: JaxprEqn, given: list[Any]) -> list[Any]:
    """What an equation gives for arrays."""
    found = equation.primitive.get_bind_params(equation.params)
    functions, params = found if isinstance(found, tuple) else ((), found)
    found = equation.primitive.bind(*functions, *given, **params)
    return list(found) if equation.primitive.multiple_results else [found]


def written_at(jaxpr: Jaxpr) -> str:
    """The name of the function that a jaxpr is traced of, and where its code lies; ""
    where that is not known."""
    information = getattr(jaxpr, "debug_info", None)
    return str(getattr(information, "func_src_info", "") or "")


_SCANS: list[Callable[..., Any]] = []
"""What stands for `jax.lax.associative_scan`, the innermost last."""


@contextmanager
def associative_scan_by(instead: Callable[..., Any]) -> Iterator[None]:
    """Calls of `jax.lax.associative_scan`, by whatever name a model has it, are
    `instead(own, fn, elems, reverse, axis)` while it lasts; `own` is that of JAX."""
    function: Any = inspect.unwrap(jax.lax.associative_scan)
    code = function.__code__
    own = FunctionType(code, function.__globals__, function.__name__)

    def call(*given: Any) -> Any:
        return instead(own, *given)

    _SCANS.append(call)
    function.__code__ = _scan_instead.__code__
    try:
        yield
    finally:
        function.__code__ = code
        _SCANS.pop()


def _scan_instead(fn: Any, elems: Any, reverse: bool = False, axis: int = 0) -> Any:
    """Its code runs in place of that of JAX, in the names of JAX's module."""
    from blox.importers.jax.internals import _SCANS

    return _SCANS[-1](fn, elems, reverse, axis)


def is_symbol(size: Any) -> bool:
    """True for a size that is a symbol."""
    return bool(_core.is_symbolic_dim(size))


def is_size(value: Any) -> bool:
    """True for a symbol, or a whole number."""
    if isinstance(value, (bool, np.bool_)):
        return False
    return isinstance(value, (int, np.integer)) or is_symbol(value)


def terms_of(size: Any) -> dict[Any, int]:
    """A size as a sum: how often it has each product of symbols, which has 1 as key where it
    is a number."""
    if not is_symbol(size):
        return {1: int(size)}
    found = {}
    for term, count in size._sorted_terms:
        one = 1 if term.is_constant else type(size)._from_term(term, 1, size.scope)
        found[one] = int(count)
    return found


def with_shape(aval: Any, shape: Any) -> Any:
    """An abstract value in another shape."""
    return aval.update(shape=tuple(shape))


def with_equations(
    jaxpr: Jaxpr,
    constvars: list[Var],
    invars: list[Var],
    outvars: list[Any],
    equations: list[JaxprEqn],
) -> Jaxpr:
    """A jaxpr with other equations and variables, and the names that it has."""
    made: Jaxpr = jaxpr.replace(
        constvars=constvars,
        invars=invars,
        outvars=outvars,
        eqns=equations,
        debug_info=jaxpr.debug_info,
    )
    return made


def closed_jaxpr(jaxpr: Jaxpr, constants: Any) -> ClosedJaxpr:
    return ClosedJaxpr(jaxpr, list(constants))


@contextmanager
def comparisons(
    seen: Callable[[Any, str, Any, bool | None], None],
) -> Iterator[None]:
    """Tells of all comparisons of symbols with sizes, while it lasts.

    Args:
        seen: of the left side, `">="`, `"=="` or `"!="` (of 0: its truth), the right one,
            and what was decided; None where nothing was. What it raises goes to the caller.
    """
    module: Any = _shapes
    expression = module._DimExpr
    decision, equal = module._geq_decision, expression.__eq__

    def at_least(left: Any, right: Any, said: Any) -> bool:
        try:
            found = bool(decision(left, right, said))
        except SYMBOLIC_ERRORS:
            seen(left, ">=", right, None)
            raise
        seen(left, ">=", right, found)
        return found

    def equals(self: Any, other: Any) -> bool:
        found = bool(equal(self, other))
        if is_size(other):
            seen(self, "==", other, found)
        return found

    def true(self: Any) -> bool:
        seen(self, "!=", 0, None)
        return True

    module._geq_decision = at_least
    expression.__eq__, expression.__bool__ = equals, true
    try:
        yield
    finally:
        module._geq_decision = decision
        expression.__eq__ = equal
        del expression.__bool__
