"""Brackets, and breaks that are allowed only inside them.

A level says what surrounds an expression, since Python allows breaks only inside
brackets: `None` for nothing, `INSIDE` for brackets that certainly stand there, a
`GroupId` for parentheses that appear when that group breaks.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Final, TypeAlias

from .documents import (
    Doc,
    FitsExpanded,
    Group,
    GroupId,
    GroupIfBroken,
    Indent,
    Line,
    When,
    soft_block,
)
from .layout import flat


class Brackets(Enum):
    """Certain brackets around an expression."""

    INSIDE = True


INSIDE: Final = Brackets.INSIDE
Level: TypeAlias = Brackets | GroupId | None


def parenthesized(left: str, content: Doc, right: str, level: Level) -> Doc:
    """Brackets around `content`, which breaks onto lines of its own."""
    inner: Doc = Group(soft_block(content))
    if isinstance(level, GroupId):
        inner = FitsExpanded(inner, level)
    return (left, inner, right)


def parenthesize_if_broken(content: Doc) -> Doc:
    """Parentheses around `content` (made INSIDE) if it does not fit on the line."""
    return optional_parentheses(content, GroupId())


def optional_parentheses(content: Doc, id: GroupId) -> Doc:
    """Parentheses only if breaking the brackets in `content` (level `id`) won't do."""
    inner = Indent((Line.SOFT, content), id)
    return Group((When(True, "("), inner, Line.SOFT, When(True, ")")), id)


def comma_separated(items: Sequence[Doc], always: bool = False) -> Doc:
    """Items with commas; a trailing one where several stand on lines of their own.

    `always`: also after a single one.
    """
    docs: list[Doc] = []
    for item in items:
        docs.extend((",", Line.SPACE, item) if docs else (item,))
    return (*docs, When(True, ",") if always or len(items) > 1 else "")


def one_line(doc: Doc) -> str:
    """The text without any break, however long."""
    text = flat(doc)
    assert text is not None  # what always breaks is only ever a second choice
    return text


def group(content: Doc, level: Level) -> Doc:
    """A group where breaks are allowed."""
    match level:
        case None:
            return content
        case GroupId():
            return GroupIfBroken(content, level)
        case _:
            return Group(content)


def line(level: Level, kind: Line = Line.SPACE) -> Doc:
    """A break where breaks are allowed."""
    match level:
        case None:
            return kind.value
        case GroupId():
            return (When(True, kind, level), When(False, kind.value, level))
        case _:
            return kind
