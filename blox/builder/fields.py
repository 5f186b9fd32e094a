"""The fields of nodes, between what a user writes, what the engine takes and a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from blox.schema import Op
from blox.schema.fields import is_expression
from blox.schema.op import ParamOp
from blox.schema.resolve.program import Arg, Args, flat

from .indexing import At
from .literals import is_numeric
from .sizes import Dim, Real, Size, plain
from .trees import replaced, symbols, text_of
from .values import Value


def needs_name(cls: type[Op]) -> bool:
    """True where a node's name means something: it keeps arrays or folds a key."""
    takes_key = any(mark.kind == "key" for mark in cls.fields().operands.values())
    stateful = cls.STATEFUL or cls.OUTPUT_KIND == "key"
    return issubclass(cls, ParamOp) or takes_key or stateful


def mapped(field: Any, number: Callable[[Any], Any]) -> Any:
    """A field as a file has it, with `number` in place of each number and dim."""
    if isinstance(field, Value):
        return field.reference
    if isinstance(field, At):
        return index_text(field, number)
    if isinstance(field, Dim) or is_numeric(field):
        return number(field)
    if isinstance(field, Mapping):
        return {key: mapped(part, number) for key, part in field.items()}
    if isinstance(field, (list, tuple)):
        return [mapped(part, number) for part in field]
    return field


def as_number(value: Any) -> Any:
    """A number without its expression; a dim as the text of its own."""
    if not isinstance(value, Dim):
        return plain(value)
    numbers = {s: s.value for s in symbols(value.tree) if not s.is_dim}
    return f"${text_of(replaced(value.tree, numbers))}"


def index_text(at: At, number: Callable[[Any], Any]) -> str:
    """`..., 0, 1:`."""

    def bound(part: Any) -> str:
        if part is None or part is Ellipsis:
            return "..." if part is Ellipsis else "None"
        return str(number(part))

    def one(part: Any) -> str:
        if not isinstance(part, slice):
            return bound(part)
        bounds = (part.start, part.stop, part.step)
        start, stop, step = ("" if b is None else bound(b) for b in bounds)
        return f"{start}:{stop}" + (f":{step}" if step else "")

    return ", ".join(one(part) for part in at.parts) or "..."


def takes_expressions(cls: type[Op] | None, name: str, value: Any) -> bool:
    """True where expressions may stand for the numbers of a field."""
    if cls is None or name not in cls.model_fields or isinstance(value, At):
        return True
    if name in cls.fields().operands:
        return True
    pattern = _pattern(value)
    return _takes(cls, name, pattern)


def _pattern(value: Any) -> Any:
    """A value with `$n` for each number, hashable."""
    if isinstance(value, (Dim, Size, Real)) or is_numeric(value):
        return "$n"
    if isinstance(value, (list, tuple)):
        return tuple(map(_pattern, value))
    return value if isinstance(value, (str, bool)) else None


@cache
def _takes(cls: type[Op], name: str, pattern: Any) -> bool:
    def listed(part: Any) -> Any:
        return [listed(p) for p in part] if isinstance(part, tuple) else part

    info = cls.model_fields[name]
    annotated: Any = info.annotation
    for mark in info.metadata:
        annotated = _annotated(annotated, mark)
    try:
        TypeAdapter(annotated).validate_python(listed(pattern))
    except ValidationError:
        return False
    return True


def _annotated(annotation: Any, mark: Any) -> Any:
    from typing import Annotated

    return Annotated[annotation, mark]


def named_functions(fields: Sequence[str], names: Sequence[str]) -> dict[str, Any]:
    """Fields that name functions; `branches.0`, `branches.1` are one list."""
    found: dict[str, Any] = {}
    for place, name in zip(fields, names, strict=True):
        stem, dot, _ = place.partition(".")
        if dot:
            found.setdefault(stem, []).append(name)
        else:
            found[place] = name
    return found


def args_of(op: Op) -> Args:
    """The operands and given slots of a resolved op, as `bind` would have them."""

    def arg(value: Any) -> Arg:
        if isinstance(value, str) and not is_expression(value):
            return Arg(value)
        return Arg(value=value)

    fields = op.fields()
    args: Args = {}
    for name in fields.operands:
        value = getattr(op, name)
        args[name] = [arg(v) for v in value] if isinstance(value, list) else arg(value)
    for name in fields.slots:
        if getattr(op, name) is not None:
            args[name] = arg(getattr(op, name))
    return args


def sources(args: Args) -> list[str]:
    """The references of a node's arguments, in order."""
    return [arg.source for arg in flat(args) if arg.source is not None]
