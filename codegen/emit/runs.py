"""Statements that repeat but for names of parameters and numbers, as a `for`."""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property
from keyword import iskeyword
from typing import TypeAlias

from ..nodes import call, literal, name, tuple_of
from ..walk import children, walk

LEAST = 3
"""So many repetitions are a loop."""
PERIOD = 4
"""Statements of one repetition, at most."""
COLUMNS = 3
"""What differs from one to the next, at most: a longer table reads worse than lines."""
LISTED = 6
"""More than so many are a long table; numbered names are counted then, `f"layer{i}"`."""

Value: TypeAlias = str | int | float


@dataclass
class _Shape:
    """A statement without its texts and numbers, and those in order."""

    parts: list[str] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    """The argument that each is, nothing for a key of a dict."""

    def add(self, node: ast.AST, place: str = "") -> None:
        parts = self.parts
        match node:
            case ast.Name(id=text):
                parts.append(text)
            case ast.Constant(value=str() | int() | float() as value) if not isinstance(
                value, bool
            ):
                parts.append("'" if isinstance(value, str) else "#")
                self.values.append(value)
                self.places.append(place)
            case ast.Constant(value=value):
                parts.append(repr(value))
            case ast.Attribute(value=value, attr=attr):
                self.add(value)
                parts.append(f".{attr}")
            case ast.keyword(arg=arg, value=value):
                parts.append(f"{arg}=")
                self.add(value, arg or "")
            case _:
                parts.append(type(node).__name__)
                for child in children(node):
                    self.add(child)
                parts.append(")")


def rolled(body: Sequence[ast.stmt], taken: Set[str]) -> list[ast.stmt]:
    """The statements of a function, regular runs of them as loops.

    Args:
        body: the statements, of which none is changed.
        taken: names that no variable may have.
    """
    shapes = [_shape(s) for s in body]
    names: set[str] | None = None
    result: list[ast.stmt] = []
    i = 0
    while i < len(body):
        period, count = _run(shapes, i)
        run = body[i : i + period * count]
        i += len(run)
        if count > 1:
            if names is None:
                names = {n.id for s in body for n in walk(s) if isinstance(n, ast.Name)}
                names |= taken
            loop = _loop(run, shapes[i - len(run) : i], period, names)
            run = [loop] if loop is not None else run
        result += run
    return result


def _shape(statement: ast.stmt) -> tuple[tuple[str, ...], _Shape] | None:
    """The shape of an assignment; what holds a function is none of a run."""
    if not isinstance(statement, ast.Assign):
        return None
    shape = _Shape()
    shape.add(statement)
    return None if "Lambda" in shape.parts else (tuple(shape.parts), shape)


Shapes: TypeAlias = Sequence[tuple[tuple[str, ...], _Shape] | None]


def _run(shapes: Shapes, i: int) -> tuple[int, int]:
    """The period and repetitions of the run that begins at `i`, (1, 1) where none does."""
    for period in range(1, PERIOD + 1):
        end = i + period
        while end < len(shapes) and _alike(shapes[end], shapes[end - period]):
            end += 1
        count = (end - i) // period
        if count >= LEAST:
            return period, count
    return 1, 1


def _alike(
    a: tuple[tuple[str, ...], _Shape] | None, b: tuple[tuple[str, ...], _Shape] | None
) -> bool:
    return a is not None and b is not None and a[0] == b[0]


def _loop(
    run: Sequence[ast.stmt], shapes: Shapes, period: int, names: Set[str]
) -> ast.For | None:
    """A run as a loop, None where lines read better."""
    found = [s[1] for s in shapes if s is not None]
    starts = range(0, len(found), period)
    rows = [[v for s in found[i : i + period] for v in s.values] for i in starts]
    places = [p for s in found[:period] for p in s.places]
    columns = [
        _Column(v, p) for v, p in zip(zip(*rows, strict=True), places, strict=True)
    ]
    varying = {c.key: c for c in reversed(columns) if len({*c.key}) > 1}
    several = [*reversed(varying.values())]
    start = _counted(several, len(rows))
    table = len(rows) if start is None and len(rows) > LISTED else 0  # lines of it
    if len(several) > COLUMNS or len(run) - period - 1 - table < len(several):
        return None
    if start is not None:
        i = _free("i" if several else "_", names)
        variables = {c.key: c.numbered(i) for c in several}
        bounds = [start, start + len(rows)] if start else [len(rows)]
        target: ast.expr = name(i)
        iterable: ast.expr = call("range", [literal(b) for b in bounds])
    else:
        titles = _titles(several, names)
        variables = {c.key: name(t) for c, t in zip(several, titles, strict=True)}
        target = tuple_of([name(t) for t in titles])
        lines = zip(*(c.values for c in several), strict=True)
        iterable = ast.Tuple([tuple_of([literal(v) for v in line]) for line in lines])
    put = _Put([variables.get(c.key) for c in columns])
    body = [put.visit(s) for s in copy.deepcopy([*run[:period]])]
    return ast.For(target, iterable, body, [])


@dataclass(frozen=True)
class _Column:
    """What one of the texts or numbers is in each repetition, and of which argument."""

    values: tuple[Value, ...]
    place: str

    @cached_property
    def key(self) -> tuple[str, ...]:
        """What tells 1 from 1.0."""
        return tuple(map(repr, self.values))

    @cached_property
    def numbers(self) -> tuple[str, int] | None:
        """("layer", 3) of ("layer3", "layer4", ...), ("", 3) of (3, 4, ...)."""
        found = [re.fullmatch(r"(.*?)(0|[1-9]\d*)", str(v)) for v in self.values]
        parts = [(m[1], int(m[2])) for m in found if m is not None]
        if len(parts) < len(found) or any(isinstance(v, float) for v in self.values):
            return None
        prefix, start = parts[0]
        wanted = [(prefix, n) for n in range(start, start + len(parts))]
        return (prefix, start) if parts == wanted else None

    def numbered(self, i: str) -> ast.expr:
        """`i`, or `f"layer{i}"`."""
        if not isinstance(self.values[0], str) or self.numbers is None:
            return name(i)
        prefix = self.numbers[0]
        parts: list[ast.expr] = [ast.Constant(prefix)] if prefix else []
        return ast.JoinedStr([*parts, ast.FormattedValue(name(i), -1)])


def _counted(columns: Sequence[_Column], count: int) -> int | None:
    """The first number, where all that varies is numbered alike and often."""
    if not columns:
        return 0
    starts = {c.numbers[1] if c.numbers else None for c in columns}
    return starts.pop() if len(starts) == 1 and count > LISTED else None


def _titles(columns: Sequence[_Column], names: Set[str]) -> list[str]:
    """Names of variables: of the argument, or what texts have in common."""
    texts = sum(isinstance(c.values[0], str) for c in columns)
    found: list[str] = []
    for column in columns:
        title = column.place or "number"
        if isinstance(column.values[0], str):
            common = re.match(r"[a-z]+", str(column.values[0]))
            title = common[0] if texts > 1 and common else "name"
        found.append(_free(title, {*names, *found}))
    return found


def _free(text: str, names: Set[str]) -> str:
    """The name, with a trailing `_` where it is another's or a keyword."""
    while (text in names and text != "_") or iskeyword(text):
        text += "_"
    return text


class _Put(ast.NodeTransformer):
    """Variables for texts and numbers, in the order of `_Shape`."""

    def __init__(self, variables: Sequence[ast.expr | None]) -> None:
        self.variables: Iterator[ast.expr | None] = iter(variables)

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        if isinstance(node.value, bool) or not isinstance(
            node.value, str | int | float
        ):
            return node
        variable = next(self.variables)
        return node if variable is None else copy.deepcopy(variable)
