"""A model traced at several sizes where symbols fail, as the one trace that they all are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import lcm
from typing import Any

import blox as bx

from ..fitting import Point, fitted
from ..tried import EVERY, FEWEST, STEPS, larger, points
from .aligned import aligned
from .decided import deciding
from .likeness import Differs
from .source import Source
from .trace import Bounds, Traced, dims_of, scope_of, specs_of, traced

TRIES = 5
"""How many steps are tried at which the code runs and differs."""


class Unlike(Exception):
    """The model is no one trace at several sizes; the text says where it differs.

    Args:
        runs: whether its code runs at any.
        dims: which are to blame.
    """

    def __init__(self, text: str, runs: bool, dims: Sequence[str] = ()) -> None:
        super().__init__(text)
        self.runs = runs
        self.dims = dims


def sampled(
    source: Source,
    inputs: Mapping[str, bx.Input],
    dims: Bounds,
    without: frozenset[str],
    reason: str,
    line: str,
) -> Traced:
    """The model, with symbols again for sizes that it was traced at as numbers.

    Only those dims are numbers for which code needs one. They get the bounds of the sizes
    at which the equations are the same.

    Args:
        reason: why symbols alone fail, and on which line.

    Raises:
        Unlike: it differs in more than sizes.
    """
    unlikes: list[Unlike] = []
    for step in STEPS:
        samples = _Samples(source, inputs, dims, without, step)
        try:
            return samples.whole(reason, line)
        except Unlike as unlike:
            unlikes.append(unlike)
        if sum(u.runs for u in unlikes) == TRIES:
            break
    raise next((u for u in unlikes if u.runs), unlikes[0])


@dataclass
class _Samples:
    """Traces of a model at multiples of a number."""

    source: Source
    inputs: Mapping[str, bx.Input]
    dims: Bounds
    without: frozenset[str]
    step: int

    def __post_init__(self) -> None:
        self.own = {
            name: {
                **self.dims.get(name, {}),
                "multiple_of": lcm(
                    self.step, self.dims.get(name, {}).get("multiple_of", 1)
                ),
            }
            for name in dims_of(self.inputs)
        }
        self.numbers: list[str] = []
        self.points: list[dict[str, int]] = []
        self.found: list[Traced] = []

    def whole(self, reason: str, line: str) -> Traced:
        every = list(self.own)
        base = self._points(every)[0]
        self._run(base, "")
        self.numbers = self._needed(base)
        bounds = {n: b for n, b in self.dims.items() if n not in self.numbers}
        bounds |= {n: dict(self.own[n]) for n in self.numbers}
        self.scope = scope_of(bounds)
        for point in self._points(self.numbers):
            self._add(point)
        self._aligned()
        return self._made(reason, line, *self._extent())

    # Traces -----------------------------------------------------------------------------

    def _points(self, names: Sequence[str]) -> list[dict[str, int]]:
        found = points({name: self.own[name] for name in names})
        if len(found) < FEWEST:
            raise Unlike("too few sizes within its bounds", True, names)
        return found

    def _needed(self, base: Point) -> list[str]:
        """The dims that must be numbers."""
        kept = list(base)
        for name in list(base):
            rest = [n for n in kept if n != name]
            try:
                self._run({n: base[n] for n in rest}, "")
            except Unlike:
                continue
            kept = rest
        return kept

    def _run(self, point: Point, where: str) -> Traced:
        scope = getattr(self, "scope", None) or scope_of(self.dims)
        try:
            with deciding(self.dims) as told:
                specs = specs_of(self.inputs, scope, point)
                found = traced(self.source, specs, self.without)
            return replace(found, decisions=[*told.lines])
        except Exception as error:
            first = str(error).strip().partition("\n")[0] or type(error).__name__
            text = f"an error at {_said(point)}: {first}"
            raise Unlike(text, bool(where), self.numbers) from error

    def _add(self, point: dict[str, int]) -> None:
        made = self._run(point, "one of them")
        self.found.append(made)
        self.points.append(point)
        counts = sorted({len(t.closed.jaxpr.eqns) for t in self.found})
        if len(counts) > 1:
            text = f"{counts[0]} or {counts[-1]} equations"
            raise Unlike(text, True, self.numbers)

    def _aligned(self) -> Any:
        """All traces as one."""
        symbols = self._symbols()
        steps = {n: self.own[n]["multiple_of"] for n in self.numbers}

        def expression(values: Sequence[int]) -> Any:
            fit = fitted(self.points, values, steps)
            return None if fit is None else fit.of(symbols)

        try:
            return aligned([t.closed for t in self.found], expression)
        except Differs as differs:
            raise Unlike(str(differs), True, self.numbers) from differs

    def _symbols(self) -> dict[str, Any]:
        declared = {"x": bx.Input(list(self.numbers))}
        (spec,) = specs_of(declared, self.scope).values()
        return dict(zip(self.numbers, spec.shape, strict=True))

    def _same(self, points: Sequence[dict[str, int]]) -> bool:
        """True where the code does the same at these sizes, which are taken in then."""
        kept = len(self.points)
        try:
            for point in points:
                if point not in self.points:
                    self._add(point)
            self._aligned()
        except Unlike:
            del self.found[kept:], self.points[kept:]
            return False
        return True

    # Bounds -----------------------------------------------------------------------------

    def _scaled(self, factor: int) -> dict[str, int]:
        return {n: self.own[n]["multiple_of"] * factor for n in self.numbers}

    def _extent(self) -> tuple[int, int | None]:
        """The least and the greatest multiple between which it is the same, as all of
        them say; no greatest one where all large ones are the same too."""
        low = min(
            p[n] // self.own[n]["multiple_of"]
            for p in self.points
            for n in self.numbers
        )
        if not any("min" in self.own[n] for n in self.numbers):
            while low > 1 and self._same([self._scaled(low - 1)]):
                low -= 1
        if self._same(larger({n: self.own[n] for n in self.numbers}, low)):
            return low, None
        if len(self.numbers) > 1:
            raise Unlike("other equations where one is larger", True, self.numbers)
        high, width = low, EVERY // 4
        while width:
            run = range(high + 1, high + 1 + width)
            if high - low < EVERY and self._same([self._scaled(f) for f in run]):
                high += width
            else:
                width //= 2
        return low, high

    def _made(self, reason: str, line: str, least: int, most: int | None) -> Traced:
        closed = self._aligned()
        first = self.found[0]
        dims = dict(self.dims)
        decisions = []
        tried = " and ".join(
            f"{n}={', '.join(map(str, sorted({p[n] for p in self.points})))}"
            for n in self.numbers
        )
        where = f"{line}: " if line else ""
        decisions.append(f"{where}decided for sizes {tried}: {reason}")
        for name in self.numbers:
            step = self.own[name]["multiple_of"]
            bounds = dict(self.dims.get(name, {}))
            if step > 1:
                bounds["multiple_of"] = step
            if least > 1:
                bounds["min"] = max(least * step, bounds.get("min", 1))
            if most is not None:
                bounds["max"] = min(most * step, bounds.get("max", most * step))
            if bounds != dict(self.dims.get(name, {})):
                said = ", ".join(f"{k} {v}" for k, v in bounds.items())
                decisions.append(
                    f"{name} has {said} now: its code is the same at these"
                )
            dims[name] = bounds
        scope_specs = specs_of(self.inputs, self.scope)
        flowing = [
            replace(value, shape=tuple(spec.shape))
            for value, spec in zip(first.inputs, scope_specs.values(), strict=True)
        ]
        return replace(
            first,
            closed=closed,
            inputs=flowing,
            dims={n: b for n, b in dims.items() if b},
            decisions=[*decisions, *first.decisions],
        )


def _said(point: Point) -> str:
    return " and ".join(f"{n}={s}" for n, s in point.items())
