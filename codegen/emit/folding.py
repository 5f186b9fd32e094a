"""Values that wait for their one use, to stand there instead of on lines of their own.

They are a stack. An operand may take its place in an expression only if what waits above
it is taken by later operands, in order: then the source computes in the order of the
spec, and the jaxpr of the file is that of the loader.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ..nodes import assign
from ..printer import LINE_WIDTH, render


@dataclass(frozen=True, slots=True)
class Waiting:
    """The value of a node, and the local that it gets if it has to be written."""

    source: str
    target: str
    value: ast.expr
    width: int
    """Columns of the value on one line."""

    @property
    def fits(self) -> bool:
        """True where the assignment fits on a line of a function."""
        return len(f"    {self.target} = ") + self.width <= LINE_WIDTH

    def statement(self) -> ast.stmt:
        return assign(self.target, self.value)


@dataclass
class Pending:
    """The stack of a function."""

    values: list[Waiting] = field(default_factory=list)
    places: dict[str, int] = field(default_factory=dict)
    """Where the values lie in the stack, by source, what was taken away counted."""
    taken: int = 0
    built: tuple[ast.expr | None, int] = None, 0
    """The last expression, and its columns."""

    def push(self, source: str, target: str, value: ast.expr) -> Waiting:
        last, width = self.built
        waiting = Waiting(
            source, target, value, width if value is last else len(render(value))
        )
        self.places[source] = self.taken + len(self.values)
        self.values.append(waiting)
        return waiting

    def through(self, source: str) -> list[Waiting]:
        """Takes away what has to be written so that `source` has a local."""
        place = self.places.get(source)
        return [] if place is None else self._take(place + 1 - self.taken)

    def all(self) -> list[Waiting]:
        """Takes away everything."""
        return self._take(len(self.values))

    def fold(
        self,
        operands: Sequence[tuple[str | None, int]],
        build: Callable[[Mapping[str, ast.expr]], ast.expr],
        lead: int,
    ) -> tuple[ast.expr, list[Waiting]]:
        """An expression of a node over its operands, and what to write before it.

        Args:
            operands: in order: the node that one is, None where it computes in place,
                and the columns that it has as a local.
            build: the expression, given the values of those operands that are folded.
            lead: the columns in front of it; it is to fit on a line.
        """
        sources = [source for source, _ in operands]
        folded = self._depth(sources)
        # Of each operand at least this much is in the line: most of what is too long is
        # so without a try.
        space = LINE_WIDTH - lead
        least = sum(width for _, width in operands)
        sizes = dict(operands)
        for value in self.values[len(self.values) - folded :]:
            least += value.width - sizes[value.source]
        while folded and least > space:
            value = self.values[-folded]
            least -= value.width - sizes[value.source]
            folded -= 1
        while True:
            kept = len(self.values) - folded
            values = {v.source: v.value for v in self.values[kept:]}
            built = build(values)
            width = len(render(built))
            if folded == 0 or (width <= space and not _has_two_signs(built)):
                break
            folded -= 1
        for value in self.values[kept:]:
            del self.places[value.source]
        del self.values[kept:]
        needed = [self.places[s] for s in sources if s in self.places]
        count = max(needed) + 1 - self.taken if needed else 0
        self.built = built, width
        return built, self._take(count)

    def _depth(self, sources: Sequence[str | None]) -> int:
        """How many of the last operands are just the top of the stack."""
        operands = [s for s in sources if s is None or s in self.places]
        while operands and operands[-1] is None:
            operands.pop()  # it computes after all others
        if None in operands:
            return 0  # it would compute before what waits
        depth = 0
        for operand, value in zip(
            reversed(operands), reversed(self.values), strict=False
        ):
            if operand != value.source:
                break
            depth += 1
        return depth

    def _take(self, count: int) -> list[Waiting]:
        taken, self.values = self.values[:count], self.values[count:]
        self.taken += count
        for value in taken:
            del self.places[value.source]
        return taken


def _has_two_signs(value: ast.expr) -> bool:
    """`--x`, which readers and linters take for a decrement."""
    return any(
        isinstance(n, ast.UnaryOp) and isinstance(n.operand, ast.UnaryOp)
        for n in ast.walk(value)
    )
