"""The base classes of ops: a node's fields, sorted by what they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from types import UnionType
from typing import Annotated, Any, ClassVar, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from .expressions import BoundError, ExpressionError, evaluate
from .fields import Minimum, Operand, ParamPath, Slot, is_expression
from .names import Name
from .parameters import Initializer, Leaf
from .problems import Problem
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


class Op(Strict):
    """One node: an operation, its operands and its attributes."""

    OUTPUTS: ClassVar[tuple[str, ...]] = ("out",)
    OUTPUT_KIND: ClassVar[str] = "tensor"
    TRAIN: ClassVar[bool] = False
    """True where the function takes `train`."""
    STATEFUL: ClassVar[bool] = False
    """True where the function returns (output, state)."""

    op: Any  # its name, a Literal in every class

    @classmethod
    def fields(cls) -> Fields:
        return _fields(cls)

    def outputs(self) -> tuple[str, ...]:
        """The names of the outputs; a single one is also what the node's name means."""
        return self.OUTPUTS

    def parameters(self) -> dict[str, Leaf]:
        """The arrays that the node owns, by name, where no slot is given. An op whose
        node's name is itself the leaf calls it ''."""
        return {}

    def problems(self) -> Iterator[Problem]:
        """What is wrong with the attributes of a resolved op."""
        return iter(())

    def stored(self) -> dict[str, Leaf]:
        """`parameters()` less the slots given as references, with the node's wishes."""
        wishes = self if isinstance(self, ParamOp) else None
        result: dict[str, Leaf] = {}
        for name, leaf in self.parameters().items():
            if name and getattr(self, name, None) is not None:
                continue
            if wishes is not None:
                leaf = replace(
                    leaf,
                    init=wishes.init.get(name or "value", leaf.init),
                    axes=tuple(wishes.axes.get(name or "value", leaf.axes)),
                    frozen=leaf.frozen or (name or "value") in wishes.frozen,
                )
            result[name] = leaf
        return result

    def expressions(self) -> Iterator[tuple[str, str]]:
        """(field, expression) for every expression of the attributes and operands."""
        fields = self.fields()
        for name in (*fields.attributes, *fields.operands):
            if name in fields.texts:
                continue
            for text in _expressions(getattr(self, name)):
                yield name, text

    def resolve(self, values: Mapping[str, Any], *, partial: bool = False) -> Op:
        """The op with its expressions replaced by their values.

        With `partial`, expressions over names that `values` lacks (dims) stay.

        Raises:
            ExpressionError: naming the field.
        """
        fields = self.fields()
        changes: dict[str, Any] = {}
        for name in (*fields.attributes, *fields.operands):
            old = getattr(self, name)
            if old is None or isinstance(old, (bool, float)):
                continue
            if isinstance(old, str) and name in fields.texts:
                continue
            kind = "float" if name in fields.floats else "int"
            try:
                new = _resolved(old, values, kind, partial)
                if (low := fields.minima.get(name)) is not None:
                    _at_least(new, low)
            except ExpressionError as error:
                raise type(error)(error.message, name) from None
            if new is not old:
                changes[name] = new
        return self.model_copy(update=changes) if changes else self


class ParamOp(Op):
    """An op that owns parameters."""

    params: ParamPath | None = None
    init: dict[Name, Initializer] = {}
    axes: dict[Name, list[Name | None]] = {}
    frozen: list[Name] = []


class ScopeOp(Op):
    """An op that calls functions; their parameters lie under its path."""

    params: ParamPath | None = None


def _expressions(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if is_expression(value):
            yield value
    elif isinstance(value, (list, dict)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _expressions(part)


def _resolved(old: Any, values: Mapping[str, Any], kind: Any, partial: bool) -> Any:
    match old:
        case str() if is_expression(old):
            if partial:
                from .expressions import names

                if any(n not in values for n in names(old)):
                    return old
            return evaluate(old, values, kind)
        case list():
            new = [_resolved(v, values, kind, partial) for v in old]
            return (
                new if any(a is not b for a, b in zip(new, old, strict=True)) else old
            )
        case dict():
            changed = {k: _resolved(v, values, kind, partial) for k, v in old.items()}
            same = all(changed[k] is old[k] for k in old)
            return old if same else changed
    return old


def _at_least(value: Any, low: int) -> None:
    if isinstance(value, list):
        for part in value:
            _at_least(part, low)
    elif isinstance(value, int) and value < low:
        raise BoundError(f"expected at least {low}, found {value}")


@cache
def _fields(cls: type[Op]) -> Fields:
    operands: dict[str, Operand] = {}
    slots: list[str] = []
    attributes: list[str] = []
    floats: set[str] = set()
    texts: set[str] = set()
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
        else:
            attributes.append(name)
            if _mentions(field.annotation, float):
                floats.add(name)
            elif field.annotation is str:
                texts.add(name)
            low = _minimum(field)
            if low is not None:
                minima[name] = low
    return Fields(
        operands,
        tuple(slots),
        tuple(attributes),
        frozenset(floats),
        minima,
        frozenset(texts),
    )


def _mentions(annotation: Any, kind: type) -> bool:
    if annotation is kind:
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
