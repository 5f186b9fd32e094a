"""`bx.register`: an op that is no core op, from its spec class and its function."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar, cast

from blox.schema.diagnostics import SpecError, quote
from blox.schema.op import Op, ScopeOp
from blox.schema.registry import (
    CUSTOM,
    Definition,
    add,
    core_definitions,
    registered,
    split_key,
)

from .agreement import disagreements

F = TypeVar("F", bound=Callable[..., Any])


def register(spec: type[Op], function: F) -> F:
    """Registers an op of your own, `acme:rope`.

        class Rope(Op):
            \"\"\"Turns pairs of features by position.\"\"\"

            op: Literal["acme:rope"] = "acme:rope"
            x: Tensor
            theta: Float = 10000.0

        def rope(x: Array, *, theta: float) -> Array:
            ...

        bx.register(Rope, rope)

    From then on files may have the op: the loader calls the function, generated files
    hold its source as `acme_rope`. In the builder it is `f.op("acme:rope", name, x)`.

    Args:
        spec: a subclass of `Op` or `ParamOp` of `blox.schema.op`, its fields being of
            the types in `blox.schema.fields`.
        function: at the top of a module. It takes the operands in the order of the
            class, then the parameters by name, then the attributes as keywords.

    Returns:
        The function as it was.

    Raises:
        SpecError: class and function do not agree, or the name is taken.
    """
    if not (isinstance(spec, type) and issubclass(spec, Op)):
        raise _fault("", f"expected a subclass of Op, found {quote(spec)}")
    key = spec.model_fields["op"].default if "op" in spec.model_fields else None
    if not (isinstance(key, str) and CUSTOM.fullmatch(key)):
        raise _fault(
            quote(spec.__name__),
            "expected an op with the name of its maker, such as `acme:rope`, found "
            f"{quote(key)}",
        )
    if issubclass(spec, ScopeOp):
        raise _fault(key, "expected an op that calls no functions of the Graph")
    if inspect.isbuiltin(function) or not inspect.isfunction(function):
        raise _fault(key, f"expected a function, found {quote(function)}")
    top = function.__qualname__ == function.__name__ != "<lambda>"
    if function.__closure__ or not top or not isinstance(function.__module__, str):
        raise _fault(key, "expected a function at the top of a module")
    if faults := disagreements(spec, function):
        raise _fault(key, f"expected class and function to agree: {faults[0]}")
    made = Definition(*split_key(key), key, spec, function)
    for other in (*core_definitions(), *registered()):
        if other.key == key and not _same(other, made):
            raise _fault(key, "expected a new name, found that of a registered op")
        if other.key != key and other.python_name == made.python_name:
            raise _fault(
                key,
                f"expected another name than {other.key}, found the same name in "
                f"generated files, {made.python_name}",
            )
    add(made)
    return cast(F, function)


def _same(a: Definition, b: Definition) -> bool:
    """True where the same lines run again, as in a notebook."""

    def places(found: Definition) -> set[tuple[str, str]]:
        both = (found.spec, found.function)
        return {(x.__module__, x.__qualname__) for x in both if x is not None}

    return places(a) == places(b)


def _fault(path: str, message: str) -> SpecError:
    return SpecError.one("op-register", path, message)
