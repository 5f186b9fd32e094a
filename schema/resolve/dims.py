"""Dims: where functions bind them, what bounds them, what shapes are known of them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..content import Bounds, Content, Function, Input, Output
from ..diagnostics import Report, quote
from ..expressions import ExpressionError, evaluate, names
from ..fields import is_expression
from ..limits import MAX_ELEMENTS
from ..names import NAME, RESERVED
from ..undecided import kind_of
from .bounds import COMPARISONS, Relation


def is_dim_name(dim: object) -> bool:
    return isinstance(dim, str) and dim != "_" and re.fullmatch(NAME, dim) is not None


def bind_dims(
    graph: Content, name: str, function: Function, report: Report
) -> dict[str, tuple[str, int]]:
    """Where each dim of a function is bound: the first input that must be there, an array
    rather than a list.
    """
    dims: dict[str, tuple[str, int]] = {}
    own = set(function.attributes)
    optional_only: dict[str, str] = {}
    inputs = sorted(function.inputs.items(), key=lambda i: i[1].copies is not None)
    for input_name, given in inputs:
        shape = given.shape or []
        path = f"{name}.inputs.{input_name}.shape"
        if shape.count("...") > 1:
            report.error("shape", path, "expected `...` at most once")
            continue
        after = shape.index("...") if "..." in shape else len(shape)
        for axis, dim in enumerate(shape):
            if not is_dim_name(dim):
                continue
            if dim in own or dim in graph.attributes:
                report.error(
                    "name-twice",
                    path,
                    f"expected the name of a dim, found the attribute {quote(dim)}",
                    f"write {quote('$' + dim)} for its value",
                )
            elif dim in RESERVED:
                report.error(
                    "name-reserved",
                    path,
                    f"expected a name that shadows nothing, found {quote(dim)}",
                    "choose another name",
                )
            elif given.optional:
                optional_only.setdefault(dim, path)
            else:
                dims.setdefault(
                    dim, (input_name, axis if axis < after else axis - len(shape))
                )
    for dim, path in optional_only.items():
        if dim not in dims:
            report.error(
                "dim-optional",
                path,
                f"expected an input that is always there to bind {quote(dim)}, found "
                "optional ones only",
                "write `_`, or let an input that is always there bind it",
            )
    return dims


def check_constraints(graph: Content, report: Report) -> None:
    """Bounds and constraints speak of dims of entries and attributes of the graph."""
    known = set(graph.attributes)
    for entry in graph.entries:
        function = graph.functions.get(entry)
        for given in function.inputs.values() if function else ():
            known.update(d for d in given.shape or () if is_dim_name(d))
    sound = any(entry in graph.functions for entry in graph.entries)
    for name, bounds in graph.dims.items():
        if name not in known and sound:
            report.error(
                "dim-unknown",
                f"dims.{name}",
                "expected a dim that the shape of an entry's input binds",
            )
        _check_bounds(graph, name, bounds, report)
    for i, text in enumerate(graph.constraints):
        relation = Relation.parse(text)
        path = f"constraints.{i}"
        for name in relation.names:
            if name not in known and sound:
                report.error(
                    "expression",
                    path,
                    "expected attributes and dims of entries, found "
                    f"{quote(name)}, which is neither",
                )
        try:
            if any(name not in graph.attributes for name in relation.names):
                for side in (relation.left, relation.right):
                    kind_of(side, graph.attributes)
                continue
            a, b = relation.sides(graph.attributes)
        except ExpressionError as error:
            report.error("expression", path, str(error))
            continue
        if not COMPARISONS[relation.sign](a, b):
            report.error(
                "constraint", path, f"expected {quote(text)}, found {a} and {b}"
            )


def _check_bounds(graph: Content, name: str, bounds: Bounds, report: Report) -> None:
    values: dict[str, int] = {}
    for field, value in bounds:
        path = f"dims.{name}.{field}"
        if value is None:
            continue
        try:
            if isinstance(value, str):
                value = evaluate(value, graph.attributes)
        except ExpressionError as error:
            report.error("expression", path, str(error))
            continue
        low = 1 if field == "multiple_of" else 0
        if value < low:
            report.error("bounds", path, f"expected at least {low}, found {value}")
        else:
            values[field] = value
    least, most = values.get("min", 0), values.get("max")
    factor = values.get("multiple_of", 1)
    if most is None:
        return
    if least > most:
        expected = f"min to be at most max, found {least} and {most}"
        report.error("bounds", f"dims.{name}", f"expected {expected}")
    elif -(-least // factor) * factor > most:
        expected = f"a multiple of {factor} from {least} to {most}, found none"
        report.error("bounds", f"dims.{name}", f"expected {expected}")


def declared_shapes(name: str, function: Function) -> Iterator[tuple[str, list[Any]]]:
    """(path, shape) of every input and output of which the function `name` says one."""
    declared: tuple[tuple[str, Mapping[str, Input | Output]], ...] = (
        ("inputs", function.inputs),
        ("outputs", function.outputs),
    )
    for kind, parts in declared:
        for part_name, given in parts.items():
            if given.shape is not None:
                yield f"{name}.{kind}.{part_name}.shape", given.shape


def check_shapes(
    name: str, function: Function, values: Mapping[str, Any], report: Report
) -> None:
    """The shapes that a function declares, as far as its attributes tell them."""
    for path, shape in declared_shapes(name, function):
        sizes = []
        for dim in shape:
            if is_expression(dim):
                try:
                    if all(n in values for n in names(dim)):
                        dim = evaluate(dim, values)
                    else:
                        kind_of(dim, values)
                except ExpressionError as error:
                    report.error("expression", path, str(error))
                    continue
            if isinstance(dim, int):
                sizes.append(dim)
        if any(size < 0 for size in sizes):
            report.error(
                "shape", path, f"expected sizes of at least 0, found {quote(sizes)}"
            )
        elif math.prod(sizes) > MAX_ELEMENTS:
            report.error(
                "too-large",
                path,
                f"expected at most {MAX_ELEMENTS} elements, found {quote(sizes)}",
            )
