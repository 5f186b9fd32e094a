"""Decides where the lines of a document break.

A group is printed flat if everything up to the next possible break fits in the width,
else all its own breaks are taken and its inner groups are asked in turn. `lines_of`
decides as ruff's printer does, special cases included, because generated files have to
be a fixpoint of `ruff format` where no ruff is installed.
"""

from __future__ import annotations

import math
from enum import Enum
from typing import Final, NamedTuple, TypeAlias

from .documents import (
    BestFitParentheses,
    BestFitting,
    Close,
    Doc,
    FitsExpanded,
    Group,
    GroupId,
    GroupIfBroken,
    Indent,
    Line,
    When,
)

LINE_WIDTH: Final = 88
INDENT: Final = 4


class _Measure(Enum):
    """How far to measure: to the first break taken, or through all lines."""

    FIRST_LINE = 0
    ALL_LINES = 1
    ALL_LINES_OVERFLOWING = 2


class _State(NamedTuple):
    broken: bool
    indent: int
    measure: _Measure = _Measure.FIRST_LINE


_Todo: TypeAlias = list[tuple[_State, Doc]]


def lines_of(doc: Doc, indent: int = 0, width: int = LINE_WIDTH) -> list[str]:
    """Break `doc` into lines of at most `width` columns where that is possible.

    Args:
        doc: what to print.
        indent: levels of four spaces in front of the first line.
        width: columns.

    Returns:
        The lines, without line ends.
    """
    line = flat(doc, width - INDENT * indent)
    if line is not None:
        return [" " * (INDENT * indent) + line if line else ""]
    return _Printer(width).print(doc, indent)


def flat(doc: Doc, most: float = math.inf) -> str | None:
    """The document on one line, None where it has a break that is always taken, or
    more than so many columns.
    """
    parts: list[str] = []
    column = 0
    todo: list[Doc] = [doc]
    while todo and column <= most:
        item = todo.pop()
        match item:
            case str():
                parts.append(item)
                column += len(item)
            case tuple():
                todo.extend(reversed(item))
            case Line():
                if item is Line.HARD:
                    return None
                parts.append(item.value)
                column += len(item.value)
            case When(broken, content):
                if not broken:
                    todo.append(content)
            case BestFitting(variants):
                todo.append(variants[0])
            case Close():
                return None
            case _:
                todo.append(item.content)
    return "".join(parts) if column <= most else None


class _Printer:
    def __init__(self, width: int) -> None:
        self.width = width
        self.lines: list[str] = []
        self.text = ""
        self.pending = 0
        self.measured = False  # an enclosing group was found to fit on this line
        self.broken: dict[GroupId, bool] = {}

    def print(self, doc: Doc, indent: int) -> list[str]:
        self.pending = indent
        todo: _Todo = [(_State(True, indent), doc)]
        while todo:
            state, item = todo.pop()
            self._print(state, item, todo)
        return [*self.lines, self.text]

    def _print(self, state: _State, doc: Doc, todo: _Todo) -> None:
        match doc:
            case str():
                if doc:
                    self.text += " " * (INDENT * self.pending) + doc
                    self.pending = 0
            case Line():
                if state.broken or doc is Line.HARD:
                    self.lines.append(self.text)
                    self.text, self.pending = "", state.indent
                    self.measured = False
                else:
                    self.text += doc.value
            case tuple():
                todo.extend((state, item) for item in reversed(doc))
            case Group(content, id, expand):
                broken = expand or not self._flat(state, content, id, todo)
                self._remember(id, broken)
                todo.append((_State(broken, state.indent, state.measure), content))
            case GroupIfBroken(content, id):
                if self.broken[id]:
                    broken = not self._flat(state, content, None, todo)
                    state = _State(broken, state.indent, state.measure)
                todo.append((state, content))
            case When(broken, content, id):
                if broken == self._is_broken(id, state):
                    todo.append((state, content))
            case Indent(content, id):
                todo.append((self._indented(state, id), content))
            case FitsExpanded(content, id):
                if id is None or not self.broken[id]:
                    self.measured = False  # only its first line was measured
                todo.append((state, content))
            case BestFitting(variants):
                todo.append(self._best(state, variants, todo))
            case BestFitParentheses(content, id):
                broken = not self._flat(state, content, id, todo)
                self.broken[id] = broken
                if broken:
                    every = _State(*state[:2], _Measure.ALL_LINES)
                    broken = self._fits(_parentheses(every, content), todo)
                    self.broken[id] = broken
                state = _State(broken, state.indent, state.measure)
                todo.extend(
                    _parentheses(state, content) if broken else [(state, content)]
                )
            case Close():
                todo.extend([(state, ")"), (state, Line.HARD)])

    def _best(
        self, state: _State, variants: tuple[Doc, ...], todo: _Todo
    ) -> tuple[_State, Doc]:
        if not state.broken and self.measured:
            return state, variants[0]
        self.measured = True
        flat = _State(False, state.indent)
        for variant in variants[:-1]:
            if self._fits([(flat, variant)], todo):
                return flat, variant
        return _State(True, state.indent, state.measure), variants[-1]

    def _flat(
        self, state: _State, content: Doc, id: GroupId | None, todo: _Todo
    ) -> bool:
        if not state.broken and self.measured:
            return True
        self.measured = True
        self._remember(id, False)
        flat = _State(False, state.indent, state.measure)
        return self._fits([(flat, content)], todo)

    def _remember(self, id: GroupId | None, broken: bool) -> None:
        if id is not None:
            self.broken[id] = broken

    def _is_broken(self, id: GroupId | None, state: _State) -> bool:
        return state.broken if id is None else self.broken[id]

    def _indented(self, state: _State, id: GroupId | None) -> _State:
        if id is not None and not self.broken[id]:
            return state
        return _State(state.broken, state.indent + 1, state.measure)

    def _fits(self, todo: _Todo, rest: _Todo) -> bool:
        """Tell whether `todo`, then what follows it up to a break, fits."""
        following = reversed(rest)
        column = len(self.text)
        pending = self.pending
        while True:
            state, doc = todo.pop() if todo else next(following, (None, ""))
            if state is None:
                return True
            match doc:
                case str():
                    if doc:
                        column += INDENT * pending + len(doc)
                        pending = 0
                        overflow = state.measure is _Measure.ALL_LINES_OVERFLOWING
                        if column > self.width and not overflow:
                            return False
                case Line():
                    if not state.broken:
                        if doc is Line.HARD:
                            return True
                        todo.append((state, doc.value))
                    elif state.measure is _Measure.FIRST_LINE:
                        return True
                    else:
                        column, pending = 0, state.indent
                case tuple():
                    todo.extend((state, item) for item in reversed(doc))
                case Group(content, id, expand):
                    if expand and not state.broken:
                        state = _State(True, state.indent, state.measure)
                    self._remember(id, state.broken)
                    todo.append((state, content))
                case GroupIfBroken(content):
                    todo.append((state, content))
                case When(broken, content, id):
                    if broken == self._is_broken(id, state):
                        todo.append((state, content))
                case Indent(content, id):
                    todo.append((self._indented(state, id), content))
                case FitsExpanded(content, id):
                    if not state.broken and (id is None or not self.broken[id]):
                        measure = _Measure.ALL_LINES_OVERFLOWING
                        state = _State(True, state.indent, measure)
                    todo.append((state, content))
                case BestFitting(variants):
                    if state.broken:
                        todo.append((state, variants[-1]))
                    else:
                        state = _State(state.broken, state.indent)
                        todo.append((state, variants[0]))
                case BestFitParentheses(content, id):
                    self.broken[id] = state.broken
                    todo.append((state, content))
                case Close():
                    column, pending = INDENT * state.indent + 1, 0


def _parentheses(state: _State, content: Doc) -> _Todo:
    inner = _State(state.broken, state.indent + 1, state.measure)
    return [
        (state, Close.PARENTHESES),
        (inner, content),
        (inner, Line.HARD),
        (state, "("),
    ]
