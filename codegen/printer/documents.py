"""Documents: text with places where lines may break, in nested groups.

`FitsExpanded`, `BestFitting` and `BestFitParentheses` are what ruff's formatter adds to
the classical text, line, group and indent of Wadler's "A prettier printer".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias, Union


class Line(Enum):
    """A break, with what stands for it in a flat group."""

    SOFT = ""
    SPACE = " "
    HARD = "\n"


@dataclass(frozen=True, slots=True, eq=False)
class GroupId:
    """Names a group, so that parts of a document can ask how it was printed.

    `kept`: what it adds is part of the tree when the text is read again.
    """

    kept: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Content that is flat or broken as one; with `expand`, always broken."""

    content: Doc
    id: GroupId | None = None
    expand: bool = False


@dataclass(frozen=True, slots=True)
class GroupIfBroken:
    """A group where the group `id` is broken, else plain content."""

    content: Doc
    id: GroupId


@dataclass(frozen=True, slots=True)
class When:
    """Content for one mode of the group `id` (None: of the enclosing one)."""

    broken: bool
    content: Doc
    id: GroupId | None = None


@dataclass(frozen=True, slots=True)
class Indent:
    """Content one level deeper; with `id`, only where that group is broken."""

    content: Doc
    id: GroupId | None = None


@dataclass(frozen=True, slots=True)
class FitsExpanded:
    """Content that counts as fitting when its first line does, where `id` is flat."""

    content: Doc
    id: GroupId | None = None


@dataclass(frozen=True, slots=True)
class BestFitting:
    """The first variant whose first line fits, else the last one."""

    variants: tuple[Doc, ...]


@dataclass(frozen=True, slots=True)
class BestFitParentheses:
    """Content in parentheses on lines of its own, only where that makes it fit."""

    content: Doc
    id: GroupId


class Close(Enum):
    """The end of `BestFitParentheses`: whether its parentheses were written."""

    PARENTHESES = True


Doc: TypeAlias = Union[
    str,
    Line,
    Group,
    GroupIfBroken,
    When,
    Indent,
    FitsExpanded,
    BestFitting,
    BestFitParentheses,
    Close,
    "tuple[Doc, ...]",
]


def soft_block(content: Doc) -> Doc:
    """Indent `content` on lines of its own where the enclosing group breaks."""
    return (Indent((Line.SOFT, content)), Line.SOFT)
