"""A model under JAX with the sizes of its inputs as symbols, also where its code decides by
a size or JAX can't say something for every size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import lcm
from pathlib import Path

import blox as bx
from blox.schema.diagnostics import cut

from .decided import Decisions, bound_of, deciding
from .faults import line_of
from .internals import SYMBOLIC_ERRORS
from .sampled import Unlike, sampled
from .source import Source
from .trace import Bounds, Traced, dims_of, scope_of, specs_of, traced

LARGE, SMALL = (24, 12), (5, 2)
"""The sizes by which comparisons with numbers are decided, until the code runs with one:
small ones where it is no one trace at several sizes either."""
_MOST = 16
"""Comparisons in one model that are decided so."""


def trace(
    source: Source,
    inputs: Mapping[str, bx.Input],
    dims: Bounds,
    without: frozenset[str] = frozenset(),
) -> Traced:
    """Traces a model with the dims of its inputs as symbols.

    Where code compares a size with a number, the dim gets the bound by which that is
    decided. Where that does not do, it is traced at several sizes instead.

    Args:
        dims: what bounds them.
        without: classes of layers that are traced like any other module.

    Raises:
        SpecError: code that does other things at other sizes, with the dim and the line.
    """
    found = _traced(source, inputs, dims, without)
    chosen = [f"modules with {n}={v}, by the import" for n, v in source.flags.items()]
    return replace(found, decisions=[*found.decisions, *chosen])


def _traced(
    source: Source,
    inputs: Mapping[str, bx.Input],
    dims: Bounds,
    without: frozenset[str],
) -> Traced:
    made = _Symbols(source, inputs, without)
    try:
        return made.traced(dims)
    except bx.BloxError:
        raise
    except Exception as error:
        if not dims_of(inputs):
            raise
        if (found := made.bounded(dims, LARGE)) is not None:
            return found
        try:
            where = Path(line_of(error)).name
            return sampled(source, inputs, dims, without, _first(error), where)
        except Unlike as unlike:
            if (found := made.bounded(dims, SMALL)) is not None:
                return found
            raise _frozen(error, unlike) from error


class _Symbols:
    """Traces with all dims as symbols."""

    def __init__(
        self, source: Source, inputs: Mapping[str, bx.Input], without: frozenset[str]
    ) -> None:
        self.source = source
        self.inputs = inputs
        self.without = without
        self.decisions = Decisions({})
        self.error: Exception | None = None
        self.first: tuple[Exception | None, Decisions] | None = None

    def traced(self, dims: Bounds) -> Traced:
        specs = specs_of(self.inputs, scope_of(dims))
        with deciding(dims) as self.decisions:
            try:
                found = traced(self.source, specs, self.without)
            except Exception as error:
                self.error = error
                raise
        return replace(found, dims=dims, decisions=[*self.decisions.lines])

    def bounded(self, dims: Bounds, hints: Sequence[int]) -> Traced | None:
        """With bounds that decide what the code compares; None where there are none."""
        self.first = self.first or (self.error, self.decisions)
        for hint in hints:
            self.error, self.decisions = self.first
            own, told = dims, list[str]()
            for _ in range(_MOST):
                found = self._bound(own, hint)
                if found is None:
                    break
                own, line = found
                told.append(line)
                try:
                    made = self.traced(own)
                except Exception:
                    continue
                return replace(made, decisions=[*told, *made.decisions])
        return None

    def _bound(self, dims: Bounds, hint: int) -> tuple[Bounds, str] | None:
        """The bounds with which the last comparison that was not decided is."""
        if self.decisions.undecided is None or not _is_symbolic(self.error):
            return None
        size, line = self.decisions.undecided
        bound = bound_of(size, hint)
        if bound is None:
            return None
        name, ends = bound
        own = joined(dims.get(name, {}), ends)
        if own == dims.get(name, {}) or own.get("min", 1) > own.get("max", hint):
            return None
        said = " and ".join(f"{k} {v}" for k, v in ends.items())
        where = f"{line}: " if line else ""
        text = f"{where}a comparison of {name} is decided by {said}, its bound now"
        return {**dims, name: own}, text


def joined(bounds: Mapping[str, int], more: Mapping[str, int]) -> dict[str, int]:
    """Bounds that hold together."""
    found = {**bounds, **more}
    for key, chosen in (("min", max), ("max", min), ("multiple_of", lcm)):
        if key in bounds and key in more:
            found[key] = chosen(bounds[key], more[key])
    return found


def _is_symbolic(error: BaseException | None) -> bool:
    """True where code stopped at a comparison of symbols."""
    while error is not None:
        if isinstance(error, SYMBOLIC_ERRORS):
            return True
        error = error.__cause__ or error.__context__
    return False


def _frozen(error: Exception, unlike: Unlike) -> Exception:
    """The error of code that decides by a size which has only a name; that of the code
    itself, where it runs at no size."""
    if not unlike.runs:
        return error
    said = " and ".join(unlike.dims)
    line = line_of(error)
    return bx.SpecError.one(
        "import-size",
        said,
        "expected code that works for all sizes, found a decision by this one"
        f"{f', at {line}' if line else ''}: {_first(error)}; at several sizes it has "
        f"{unlike}",
        f"give {said} as a number, bx.Input([8, 16]), or what bounds it, dims=",
    )


def _first(error: Exception) -> str:
    text = str(error).strip().partition("\n")[0].rstrip(".")
    return cut(" ".join(text.split()), "", 160) or type(error).__name__
