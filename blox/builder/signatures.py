"""Python functions as spec functions: what their parameters stand for."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from blox.schema import SpecError
from blox.schema.diagnostics import Diagnostic, quote
from blox.schema.names import is_name


@dataclass(frozen=True, slots=True)
class Signature:
    """A Python function's parameters after the builder: inputs, and attributes, which
    are keyword-only; those with a default may be left out."""

    name: str
    inputs: tuple[str, ...]
    attributes: tuple[str, ...]
    defaults: Mapping[str, Any]


def signature_of(function: Callable[..., Any]) -> Signature:
    """The name, inputs and attributes of a spec function.

    Raises:
        SpecError: it has no usable name, or parameters that no spec function has.
    """
    name = getattr(function, "__name__", "")
    if name.isidentifier() and not is_name(name):
        raise fault(
            quote(name),
            "expected the name of a function: letters, digits and inner underscores, "
            f"no keyword of Python, found {quote(name)}",
        )
    if not is_name(name):
        raise fault(
            quote(name or function),
            "expected a Python function with a name of its own, found "
            f"{quote(name or type(function).__name__)}",
            "write it with def",
        )
    parameters = list(inspect.signature(function).parameters.values())
    if not parameters:
        raise fault(name, "expected a first parameter f, which gets the builder")
    inputs, attributes, defaults = [], [], {}
    for parameter in parameters[1:]:
        match parameter.kind:
            case parameter.POSITIONAL_OR_KEYWORD | parameter.POSITIONAL_ONLY:
                inputs.append(parameter.name)
            case parameter.KEYWORD_ONLY:
                attributes.append(parameter.name)
            case _:
                raise fault(name, f"expected named parameters only, found {parameter}")
        if parameter.default is not parameter.empty:
            defaults[parameter.name] = parameter.default
    return Signature(name, tuple(inputs), tuple(attributes), defaults)


def fault(path: str, message: str, hint: str = "") -> SpecError:
    return SpecError(Diagnostic("builder-function", path, message, hint))
