"""Concrete sizes within bounds and constraints, small and readable: `batch=2, seq=3`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from blox.schema.expressions import ExpressionError, evaluate
from blox.schema.fields import is_expression
from blox.schema.frozen import EMPTY
from blox.schema.resolve.bounds import speaking_of

from .declared import Bounds, Declared, Relation
from .symbolic import Symbols, value_of

_LARGEST = 1 << 16
"""Sizes above are not tried."""
_TRIALS = 5_000
"""Constraints that the search for one choice of sizes may evaluate."""
_MAX_DIMS = 4_000
_PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53)


@dataclass(frozen=True)
class Sizes:
    """`dims` by name, `leading` for `...`, `ignored` for `_`, by input and axis.

    `symbols` is what they are made of, None where all are numbers.
    """

    dims: dict[str, Any]
    leading: tuple[Any, ...] = ()
    ignored: dict[tuple[str, int], Any] = field(default_factory=dict)
    symbols: Symbols | None = field(default=None, compare=False)

    def shape(
        self, name: str, declared: Iterable[Any], values: Mapping[str, Any]
    ) -> tuple[Any, ...]:
        """The shape of the input `name`, declared so, at these sizes.

        Raises:
            ExpressionError: a size in it has no value, or a negative one.
        """
        found: list[Any] = []
        for axis, dim in enumerate(declared):
            if dim == "...":
                found += self.leading
            elif dim == "_":
                found.append(self.ignored[name, axis])
            elif isinstance(dim, int):
                found.append(dim)
            elif is_expression(dim):
                size = value_of(dim, {**values, **self.dims}, self.symbols)
                if isinstance(size, int) and size < 0:
                    raise ExpressionError(f"expected a size, found {size}")
                found.append(size)
            else:
                found.append(self.dims[dim])
        return tuple(found)

    def __str__(self) -> str:
        """`batch=2, seq=3`; the leading axes as `...=2`."""
        parts = [f"{name}={size}" for name, size in list(self.dims.items())[:8]]
        parts += ["..."] if len(self.dims) > 8 else []
        if self.leading:
            parts.append(f"...={'x'.join(map(str, self.leading))}")
        parts += [f"{name}[{axis}]={n}" for (name, axis), n in self.ignored.items()][:8]
        return ", ".join(parts)


def symbolic(
    declared: Declared,
    given: list[str],
    symbols: Symbols,
    known: Mapping[str, int] = EMPTY,
) -> Sizes:
    """A symbol for every size that is open and not known."""
    return Sizes(
        {
            dim: known[dim] if dim in known else symbols.dim(dim)
            for dim in declared.dims(given)
        },
        (symbols.leading,) if declared.leads(given) else (),
        {(n, i): symbols.axis(f"{n}_{i}") for n, i in declared.ignored(given)},
        symbols,
    )


class Samples:
    """The concrete sizes of one entry: all different, the smallest, the largest, round.

    Args:
        declared: the entry's inputs.
        given: those that are there.
    """

    def __init__(
        self,
        declared: Declared,
        given: list[str],
        bounds: Mapping[str, Bounds],
        relations: list[Relation],
    ) -> None:
        self._dims = declared.dims(given)[:_MAX_DIMS]
        self._whole = len(declared.dims(given)) == len(self._dims)
        self._ignored = declared.ignored(given)
        self._leads = declared.leads(given)
        self._bounds = bounds
        self._values = declared.values
        position = {dim: i for i, dim in enumerate(self._dims)}
        self._checks: list[list[Relation]] = [[] for _ in self._dims]
        for relation in speaking_of(relations, (*position, *declared.values)):
            at = [position[n] for n in relation.names if n in position]
            if at:
                self._checks[max(at)].append(relation)

    def __iter__(self) -> Iterator[Sizes]:
        if not self._whole:
            return
        primes = iter(
            _PRIMES[len(self._dims) :] + tuple(range(59, 60 + len(self._ignored)))
        )
        others = {where: next(primes) for where in self._ignored}
        found: list[Sizes] = []
        for start, leading, rest in (
            (None, (next(primes),), others),
            (1, (), dict.fromkeys(self._ignored, 1)),
            (-1, (2, 3), others),
            (64, (64,), dict.fromkeys(self._ignored, 64)),
        ):
            dims = self._choose(start)
            if dims is not None:
                sizes = Sizes(dims, leading if self._leads else (), rest)
                if sizes not in found:
                    found.append(sizes)
                    yield sizes

    def _candidates(self, i: int, start: int | None) -> list[int]:
        bound = self._bounds.get(self._dims[i], Bounds())
        low, high, factor = bound.min, bound.max, bound.multiple_of
        if start == -1:
            return sorted(self._candidates(i, None), reverse=True)
        own = _PRIMES[i % len(_PRIMES)] if start is None else start
        own = own * (i + 1) if start == 64 else own
        wanted = [factor * own, factor * (own + low // factor)]
        wanted += [factor * n for n in (1, *_PRIMES)]
        wanted += [-(-low // factor) * factor]
        if high is not None:
            wanted.append(min(high, _LARGEST) // factor * factor)
        return [n for n in dict.fromkeys(wanted) if self._within(i, n)]

    def _within(self, i: int, size: int) -> bool:
        bound = self._bounds.get(self._dims[i], Bounds())
        top = _LARGEST if bound.max is None else bound.max
        return bound.min <= size <= top and size % bound.multiple_of == 0

    def _choose(self, start: int | None) -> dict[str, int] | None:
        """The first combination that the constraints allow, dim by dim."""
        known: dict[str, Any] = dict(self._values)
        trials = _TRIALS + 20 * sum(map(len, self._checks))
        open_: list[Iterator[int]] = []
        i = 0
        while i < len(self._dims):
            if len(open_) == i:
                open_.append(iter(self._proposed(i, known, start)))
            for size in open_[i]:
                known[self._dims[i]] = size
                trials -= 1 + len(self._checks[i])
                if trials < 0:
                    return None
                if all(relation.holds(known) for relation in self._checks[i]):
                    i += 1
                    break
            else:
                open_.pop()
                known.pop(self._dims[i], None)
                i -= 1
                if i < 0:
                    return None
        return {dim: known[dim] for dim in self._dims}

    def _proposed(self, i: int, known: Mapping[str, Any], start: Any) -> list[int]:
        """Candidates for a dim, those early that its relations to others ask for."""
        found = self._candidates(i, start)
        asked: list[int] = []
        for relation in self._checks[i][:8]:
            for side, other in (
                (relation.left, relation.right),
                (relation.right, relation.left),
            ):
                if side.strip() != self._dims[i]:
                    continue
                try:
                    size = evaluate(other, known)
                except ExpressionError:
                    continue
                asked += [n for n in (size, size + 1, size - 1) if self._within(i, n)]
        return list(dict.fromkeys([*found[:1], *asked, *found[1:]]))
