"""The fields of an op class, sorted by what they are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from .dtypes import DType, RealDType, StoredDType
from .fields import (
    Elsewhere,
    Filled,
    Indexing,
    Minimum,
    Operand,
    ShapeOf,
    SizeOf,
    Slot,
    Timing,
)
from .strict import Strict

MODIFIERS = frozenset({"op", "params", "init", "axes", "frozen", "names"})


@dataclass(frozen=True, slots=True)
class Fields:
    """The field names of an op class: operands in order, slots, attributes."""

    operands: dict[str, Operand]
    slots: tuple[str, ...]
    attributes: tuple[str, ...]
    floats: frozenset[str]
    minima: dict[str, int]
    texts: frozenset[str]
    """Attributes that are text and never an expression."""
    lists: frozenset[str]
    """Attributes that are a list and never a number."""
    filled: frozenset[str]
    """Required attributes that the class fills in itself."""
    sizes: tuple[tuple[str, SizeOf], ...]
    """Attributes that are sizes of operands or outputs."""
    shapes: dict[str, str]
    """Attributes that are the shape of an output, by output."""
    dtypes: frozenset[str]
    """Attributes that are dtypes, where `float` is the model's."""
    indices: frozenset[str]
    """Attributes that are what stands between the brackets of `x[...]`."""
    timing: frozenset[str]
    """Attributes that say when a node acts, and not what it computes."""
    elsewhere: dict[str, Elsewhere]
    """What slots are called in other libraries."""


@cache
def fields_of(cls: type[Strict]) -> Fields:
    """The fields of an op class by what they are, read off their types and marks."""
    operands: dict[str, Operand] = {}
    slots: list[str] = []
    attributes: list[str] = []
    floats: set[str] = set()
    texts: set[str] = set()
    lists: set[str] = set()
    filled: set[str] = set()
    sizes: list[tuple[str, SizeOf]] = []
    shapes: dict[str, str] = {}
    dtypes: set[str] = set()
    indices: set[str] = set()
    timing: set[str] = set()
    elsewhere: dict[str, Elsewhere] = {}
    minima: dict[str, int] = {}
    for name, field in cls.model_fields.items():
        if name in MODIFIERS:
            continue
        marks = field.metadata
        operand = next((m for m in marks if isinstance(m, Operand)), None)
        if operand is not None:
            operands[name] = operand
            floats.add(name)
        elif any(isinstance(m, Slot) for m in marks):
            slots.append(name)
            for mark in marks:
                if isinstance(mark, Elsewhere):
                    elsewhere[name] = mark
        else:
            attributes.append(name)
            if _mentions(field.annotation, float):
                floats.add(name)
            elif field.annotation is str:
                texts.add(name)
            low = _minimum(field)
            if low is not None:
                minima[name] = low
            if _is_list(field.annotation):
                lists.add(name)
            annotation: Any = field.annotation
            if annotation in (RealDType, StoredDType, DType):
                dtypes.add(name)
            if any(isinstance(m, Indexing) for m in marks):
                indices.add(name)
            if any(isinstance(m, Timing) for m in marks):
                timing.add(name)
            if any(isinstance(m, Filled) for m in marks):
                filled.add(name)
            sizes += [(name, m) for m in marks if isinstance(m, SizeOf)]
            shapes.update({m.of: name for m in marks if isinstance(m, ShapeOf)})
    return Fields(
        operands,
        tuple(slots),
        tuple(attributes),
        frozenset(floats),
        minima,
        frozenset(texts),
        frozenset(lists),
        frozenset(filled),
        tuple(sizes),
        shapes,
        frozenset(dtypes),
        frozenset(indices),
        frozenset(timing),
        elsewhere,
    )


def _is_list(annotation: Any) -> bool:
    if get_origin(annotation) in (Union, UnionType):
        parts = [a for a in get_args(annotation) if a is not type(None)]
        return all(_is_list(a) for a in parts)
    return get_origin(annotation) is list


def _mentions(annotation: Any, kind: type) -> bool:
    if annotation in (kind, Any):
        return True
    if get_origin(annotation) in (Union, UnionType, Annotated, list, dict):
        return any(_mentions(a, kind) for a in get_args(annotation))
    return False


def _minimum(field: FieldInfo) -> int | None:
    def search(annotation: Any) -> int | None:
        if get_origin(annotation) is Annotated:
            for mark in annotation.__metadata__:
                if isinstance(mark, Minimum):
                    return mark.value
        for part in get_args(annotation):
            if get_origin(part) is not None and (low := search(part)) is not None:
                return low
        return None

    own = next((m.value for m in field.metadata if isinstance(m, Minimum)), None)
    return own if own is not None else search(field.annotation)
