"""Values that wait for their one use, to stand there instead of on lines of their own.

They are a stack. An operand may take its place in an expression only if what waits above
it is taken by later operands, in order: then the source computes in the order of the
spec, and the jaxpr of the file is that of the loader. Within that, `measure` decides.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ..nodes import assign
from .measure import MOST, Measure, accepts, measure, takes_params


@dataclass(frozen=True, slots=True)
class Waiting:
    """The value of a node, and the local that it gets if it has to be written."""

    source: str
    target: str
    value: ast.expr
    measure: Measure
    layer: Layer | None = None
    """What it is over a local, where one value is folded into its call."""

    def statement(self) -> ast.stmt:
        return assign(self.target, self.value)


Build = Callable[[Mapping[str, ast.expr]], ast.expr | None]


@dataclass(frozen=True, slots=True)
class Layer:
    """The call of a layer over `inner`, which may get a line of its own after all."""

    build: Build
    inner: Waiting


@dataclass
class Pending:
    """The stack of a function."""

    values: list[Waiting] = field(default_factory=list)
    places: dict[str, int] = field(default_factory=dict)
    """Where the values lie in the stack, by source, what was taken away counted."""
    taken: int = 0
    built: tuple[ast.expr | None, Measure, Layer | None] = None, Measure(), None
    """The last expression, its measure, and whether it is a layer over a value."""

    def push(self, source: str, target: str, value: ast.expr) -> None:
        last, found, layer = self.built
        if value is not last:
            found, layer = measure(value), None
        waiting = Waiting(source, target, value, found, layer)
        self.places[source] = self.taken + len(self.values)
        self.values.append(waiting)

    def through(self, source: str) -> list[Waiting]:
        """Takes away what has to be written so that `source` has a local."""
        place = self.places.get(source)
        return [] if place is None else self._take(place + 1 - self.taken)

    def all(self) -> list[Waiting]:
        """Takes away everything."""
        return self._take(len(self.values))

    def fold(
        self,
        sources: Sequence[str | None],
        build: Build,
        more: int = 0,
    ) -> tuple[ast.expr, list[Waiting]]:
        """An expression of a node over its operands, and what to write before it.

        Args:
            sources: the nodes that its operands are, in order, None for one that
                computes in place.
            build: the expression, given the values of those operands that are folded,
                None where they would compute in another order; never with none folded.
            more: what stands beside the expression.
        """
        folded = self._depth(sources)
        # What weighs too much in sum is so without a try.
        weight = sum(v.measure.weight for v in self.values[len(self.values) - folded :])
        while folded and weight > MOST:
            weight -= self.values[-folded].measure.weight
            folded -= 1
        while True:
            kept = len(self.values) - folded
            values = {v.source: v.value for v in self.values[kept:]}
            built = build(values)
            parts = [(v.value, v.measure) for v in self.values[kept:]]
            if built is not None:
                found = measure(built)
                if folded == 0 or accepts(built, found, parts, more):
                    break
            if (around := self._around_a_layer(build, folded, more)) is not None:
                return around
            folded -= 1
        layer = None
        if folded == 1 and takes_params(built):
            layer = Layer(build, self.values[-1])
        for value in self.values[kept:]:
            del self.places[value.source]
        del self.values[kept:]
        needed = [self.places[s] for s in sources if s in self.places]
        count = max(needed) + 1 - self.taken if needed else 0
        self.built = built, found, layer
        return built, self._take(count)

    def _around_a_layer(
        self, build: Build, folded: int, more: int
    ) -> tuple[ast.expr, list[Waiting]] | None:
        """`relu(conv(x))` where `relu(conv(pool(x)))` is too much: `x = pool(x)` before.

        An op without parameters stays with the layer that it follows, so that layers
        are written alike whatever comes before them.
        """
        if (len(self.values), folded, more) != (1, 1, 0):
            return None
        (value,) = self.values
        alone = None if value.layer is None else value.layer.build({})
        built = None if alone is None else build({value.source: alone})
        if value.layer is None or alone is None or built is None or takes_params(built):
            return None
        found = measure(built)
        if not accepts(built, found, [(alone, measure(alone))], more):
            return None
        self._take(1)
        self.built = built, found, None
        return built, [value.layer.inner]

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
