"""Sizes of an entry's dims within their bounds: symbolic ones, and concrete ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice, product
from typing import Any

from jax import export

from blox.runtime.inputs import Signature
from blox.schema.expressions import ExpressionError, evaluate, names
from blox.schema.fields import is_expression
from blox.schema.resolve.dims import COMPARISONS

_LARGEST = 1 << 16
"""Sizes above are not tried: some ops make host arrays of a size while tracing."""
_SEARCHED = 20_000
_PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53)
_FUNCTIONS = {"mod", "floordiv", "max", "min", "non_negative"}


@dataclass(frozen=True)
class Sizes:
    """`dims` by name, `leading` for `...`, `ignored` for `_`, by input and axis."""

    dims: dict[str, Any]
    leading: tuple[Any, ...] = ()
    ignored: dict[tuple[str, int], Any] = field(default_factory=dict)

    def shape(
        self, name: str, declared: list[Any], values: dict[str, Any]
    ) -> tuple[Any, ...]:
        """The shape of the input `name`, declared so, at these sizes."""
        found: list[Any] = []
        for axis, dim in enumerate(declared):
            if dim == "...":
                found += self.leading
            elif dim == "_":
                found.append(self.ignored[name, axis])
            elif isinstance(dim, int):
                found.append(dim)
            elif is_expression(dim):
                found.append(evaluate(dim, {**values, **self.dims}))
            else:
                found.append(self.dims[dim])
        return tuple(found)


def describe(sizes: Sizes) -> str:
    """`batch=2, seq=3`; the leading axes as `...=2`."""
    parts = [f"{name}={size}" for name, size in sizes.dims.items()]
    parts += [f"...={'x'.join(map(str, sizes.leading))}"] if sizes.leading else []
    parts += [f"{name}[{axis}]={n}" for (name, axis), n in sizes.ignored.items()]
    return ", ".join(parts)


def _dims(signature: Signature, given: list[str]) -> list[str]:
    """The dims that the given inputs speak of, in order."""
    found: dict[str, None] = {}
    for name in given:
        for dim in signature.inputs[name].shape or []:
            if not isinstance(dim, str) or dim in ("...", "_"):
                continue
            used = names(dim) if is_expression(dim) else (dim,)
            found.update(dict.fromkeys(n for n in used if n not in signature.values))
    return list(found)


def _ignored(signature: Signature, given: list[str]) -> list[tuple[str, int]]:
    shapes = {name: signature.inputs[name].shape or [] for name in given}
    return [(n, i) for n, s in shapes.items() for i, dim in enumerate(s) if dim == "_"]


def _leads(signature: Signature, given: list[str]) -> bool:
    return any("..." in (signature.inputs[name].shape or []) for name in given)


def is_free(signature: Signature, given: list[str]) -> bool:
    """False if the declared shapes leave nothing open."""
    return bool(
        _dims(signature, given)
        or _ignored(signature, given)
        or _leads(signature, given)
    )


def symbolic(signature: Signature, given: list[str]) -> Sizes:
    """A symbol for every size that is open; JAX knows the bounds of each.

    A dim that is a multiple of 8 is 8 times a symbol, which decides more than a
    statement about a remainder would.
    """
    dims, ignored = _dims(signature, given), _ignored(signature, given)
    taken: set[str] = set(_FUNCTIONS)
    text: dict[Any, str] = {}
    for key, wish in (
        *((dim, dim) for dim in dims),
        *((where, f"{where[0]}_{where[1]}") for where in ignored),
        ("...", "leading"),
    ):
        factor = _bounds(signature, key)[2] if key in dims else 1
        variable = wish if factor == 1 else f"{wish}_{factor}th"
        while variable in taken:
            variable += "_"
        taken.add(variable)
        text[key] = variable if factor == 1 else f"{factor}*{variable}"
    constraints: list[str] = []
    for dim in dims:
        low, high, _ = _bounds(signature, dim)
        constraints += [f"{text[dim]} >= {low}"] if low > 1 else []
        constraints += [f"{text[dim]} <= {high}"] if high is not None else []
    constraints += _relations(signature, {dim: text[dim] for dim in dims})
    scope = _scope(constraints)
    made = dict(
        zip(
            text,
            export.symbolic_shape(", ".join(text.values()), scope=scope),
            strict=True,
        )
    )
    leading = (made["..."],) if _leads(signature, given) else ()
    return Sizes(
        {dim: made[dim] for dim in dims},
        leading,
        {where: made[where] for where in ignored},
    )


def _bounds(signature: Signature, dim: str) -> tuple[int, int | None, int]:
    bounds = signature.bounds.get(dim, {})
    return (
        max(bounds.get("min", 1), 1),
        bounds.get("max"),
        max(bounds.get("multiple_of", 1), 1),
    )


def _relations(signature: Signature, text: dict[str, str]) -> Iterator[str]:
    """The Graph's constraints in the words of JAX, where it has words for them."""
    if not text:
        return
    symbols = export.symbolic_shape(", ".join(text.values()))
    known = {**signature.values, **dict(zip(text, symbols, strict=True))}
    for _, left, sign, right in signature.constraints:
        try:
            a, b = evaluate(left, known), evaluate(right, known)
        except ExpressionError:
            continue  # it speaks of a dim that this entry doesn't have
        if isinstance(a, int) and isinstance(b, int):
            continue
        yield {
            "<": f"{a} + 1 <= {b}",
            ">": f"{a} >= {b} + 1",
        }.get(sign, f"{a} {sign} {b}")


def _scope(constraints: list[str]) -> export.SymbolicScope:
    """A scope with those constraints that JAX takes."""
    accepted: list[str] = []
    scope = export.SymbolicScope(accepted)
    for constraint in constraints:
        try:
            scope = export.SymbolicScope([*accepted, constraint])
        except (ValueError, NotImplementedError):
            continue
        accepted.append(constraint)
    # A scope of its own, in which nothing was decided before.
    return export.SymbolicScope(accepted) if accepted else scope


def concrete(signature: Signature, given: list[str]) -> list[Sizes]:
    """Sizes within the bounds: all different, the smallest, the largest, round ones."""
    dims, ignored = _dims(signature, given), _ignored(signature, given)
    leads = _leads(signature, given)
    different = {dim: _around(signature, dim, i) for i, dim in enumerate(dims)}
    smallest = {dim: _around(signature, dim, i, 1) for i, dim in enumerate(dims)}
    largest = {
        dim: sorted(_around(signature, dim, i), reverse=True)
        for i, dim in enumerate(dims)
    }
    round_ = {
        dim: _around(signature, dim, i, 64 * (i + 1)) for i, dim in enumerate(dims)
    }
    primes = iter(_PRIMES[len(dims) :] + tuple(range(59, 59 + len(ignored) + 1)))
    others = {where: next(primes) for where in ignored}
    found: list[Sizes] = []
    for choices, leading, rest in (
        (different, (next(primes),), others),
        (smallest, (), dict.fromkeys(ignored, 1)),
        (largest, (2, 3), others),
        (round_, (64,), dict.fromkeys(ignored, 64)),
    ):
        dims_found = _first(signature, choices)
        if dims_found is not None:
            sizes = Sizes(dims_found, leading if leads else (), rest)
            if sizes not in found:
                found.append(sizes)
    return found


def _around(
    signature: Signature, dim: str, number: int, start: int | None = None
) -> list[int]:
    """Sizes within the bounds of a dim: one of its own first, then others."""
    low, high, factor = _bounds(signature, dim)
    own = _PRIMES[number % len(_PRIMES)] if start is None else start
    wanted = [factor * own, factor * (own + low // factor)]
    wanted += [factor * n for n in (1, *_PRIMES)]
    wanted += [-(-low // factor) * factor]
    if high is not None:
        wanted.append(min(high, _LARGEST) // factor * factor)
    top = _LARGEST if high is None else high
    return list(dict.fromkeys(n for n in wanted if low <= n <= top))


def _first(
    signature: Signature, choices: dict[str, list[int]]
) -> dict[str, int] | None:
    """The first combination that the Graph's constraints allow."""
    for chosen in islice(product(*choices.values()), _SEARCHED):
        dims = dict(zip(choices, chosen, strict=True))
        known = {**signature.values, **dims}
        for _, left, sign, right in signature.constraints:
            try:
                holds = COMPARISONS[sign](evaluate(left, known), evaluate(right, known))
            except ExpressionError:
                continue
            if not holds:
                break
        else:
            return dims
    return None
