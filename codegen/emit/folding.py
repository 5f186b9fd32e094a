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
from ..printer import expression
from ..printer.layout import LINE_WIDTH


@dataclass(frozen=True)
class Waiting:
    """The value of a node, and the local that it gets if it has to be written."""

    source: str
    target: str
    value: ast.expr

    @property
    def fits(self) -> bool:
        """Whether the assignment fits on a line of a function."""
        line = expression(self.value)
        return len(f"    {self.target} = {line}") <= LINE_WIDTH

    def statement(self) -> ast.stmt:
        return assign(self.target, self.value)


@dataclass
class Pending:
    """The stack of a function."""

    values: list[Waiting] = field(default_factory=list)

    def push(self, value: Waiting) -> None:
        self.values.append(value)

    def through(self, source: str) -> list[Waiting]:
        """Takes away what has to be written so that `source` has a local."""
        for i, value in enumerate(self.values):
            if value.source == source:
                return self._take(i + 1)
        return []

    def all(self) -> list[Waiting]:
        """Takes away everything."""
        return self._take(len(self.values))

    def fold(
        self,
        sources: Sequence[str | None],
        build: Callable[[Mapping[str, ast.expr]], ast.expr],
        lead: int,
    ) -> tuple[ast.expr, list[Waiting]]:
        """An expression of a node, and what has to be written before it.

        Args:
            sources: the operands in order: nodes, or None for what computes in place.
            build: the expression, given the values of those operands that are folded.
            lead: the columns in front of it; it is to fit on a line.
        """
        folded = self._depth(sources)
        while True:
            kept = len(self.values) - folded
            values = {v.source: v.value for v in self.values[kept:]}
            built = build(values)
            fits = lead + len(expression(built)) <= LINE_WIDTH
            if folded == 0 or (fits and not _has_two_signs(built)):
                break
            folded -= 1
        del self.values[kept:]
        needed = [i for i, v in enumerate(self.values) if v.source in sources]
        return built, self._take(needed[-1] + 1 if needed else 0)

    def _depth(self, sources: Sequence[str | None]) -> int:
        """How many of the last operands are just the top of the stack."""
        waiting = {v.source for v in self.values}
        operands = [s for s in sources if s is None or s in waiting]
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
        return taken


def _has_two_signs(value: ast.expr) -> bool:
    """`--x`, which readers and linters take for a decrement."""
    return any(
        isinstance(n, ast.UnaryOp) and isinstance(n.operand, ast.UnaryOp)
        for n in ast.walk(value)
    )
