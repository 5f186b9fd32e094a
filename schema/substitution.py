"""Expressions in the fields of an op, and values for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .expressions import BoundError, evaluate, names
from .fields import is_expression
from .undecided import kind_of


def expressions_in(value: Any) -> Iterator[str]:
    """The expressions in a field, in order."""
    if isinstance(value, str):
        if is_expression(value):
            yield value
    elif isinstance(value, (list, dict)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from expressions_in(part)


def resolved(old: Any, values: Mapping[str, Any], kind: Any, partial: bool) -> Any:
    """A field with values for its expressions; with `partial`, of those that have one."""
    match old:
        case str() if is_expression(old):
            if partial and any(n not in values for n in names(old)):
                kind_of(old, values)
                return old
            return evaluate(old, values, kind)
        case list():
            new = [resolved(v, values, kind, partial) for v in old]
            return (
                new if any(a is not b for a, b in zip(new, old, strict=True)) else old
            )
        case dict():
            changed = {k: resolved(v, values, kind, partial) for k, v in old.items()}
            same = all(changed[k] is old[k] for k in old)
            return old if same else changed
    return old


def at_least(value: Any, low: int) -> None:
    """Refuses integers below `low` in a field."""
    if isinstance(value, list):
        for part in value:
            at_least(part, low)
    elif isinstance(value, int) and value < low:
        raise BoundError(f"expected at least {low}, found {value}")
