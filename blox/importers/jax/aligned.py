"""Traces of one model at several sizes, side by side: where they differ in whole numbers
alone, the one trace that they all are, with sizes as symbols."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

from .internals import (
    ClosedJaxpr,
    Jaxpr,
    JaxprEqn,
    Literal,
    Var,
    closed_jaxpr,
    dtype_of,
    is_size,
    is_symbol,
    new_variable,
    terms_of,
    with_equations,
    with_shape,
)
from .likeness import Differs, said, same
from .lines import line_of
from .marks import Layer
from .quantities import Quantities

Expression = Callable[[Sequence[int]], Any]
"""Of a number at each size: the expression that it is; None where it is none."""


def aligned(traces: Sequence[ClosedJaxpr], expression: Expression) -> ClosedJaxpr:
    """The trace that all of these are.

    Raises:
        Differs: they have other equations, or numbers that are no expression of the sizes.
    """
    found: ClosedJaxpr = _Alignment(expression).closed(traces)
    return found


class _Alignment:
    def __init__(self, expression: Expression) -> None:
        self.expression = expression
        self.made: dict[tuple[int, ...], Any] = {}
        self.sizes: dict[tuple[Any, ...], Any] = {}
        self.place = "the inputs"

    # Jaxprs ---------------------------------------------------------------------------

    def closed(self, found: Sequence[ClosedJaxpr]) -> ClosedJaxpr:
        key = tuple(map(id, found))
        if key not in self.made:
            constants = [c.consts for c in found]
            jaxpr, kept = self.jaxpr([c.jaxpr for c in found], constants)
            self.made[key] = closed_jaxpr(jaxpr, kept)
        made: ClosedJaxpr = self.made[key]
        return made

    def jaxpr(
        self, found: Sequence[Jaxpr], constants: Sequence[Sequence[Any]] = ()
    ) -> tuple[Jaxpr, list[Any]]:
        scope = _Scope(self, [{} for _ in found])
        first = found[0]
        inputs = scope.declared([j.invars for j in found])
        names = scope.declared([j.constvars for j in found], constants)
        kept = [(v, c) for v, c in names if c is not None or not constants]
        for group in zip(*(j.eqns for j in found), strict=False):
            scope.equation(group)
        if len({len(j.eqns) for j in found}) > 1:
            raise Differs(
                f"{min(len(j.eqns) for j in found)} and {max(len(j.eqns) for j in found)}"
                f" equations, the last at {self.place}"
            )
        outputs = [
            scope.atom(vs) for vs in zip(*(j.outvars for j in found), strict=True)
        ]
        made = with_equations(
            first,
            [v for v, _ in kept],
            [v for v, _ in inputs],
            outputs,
            scope.equations,
        )
        return made, [c for _, c in kept]

    # What stands in equations -----------------------------------------------------------

    def size(self, found: Sequence[Any]) -> Any:
        """A size; None where it is no expression of the others."""
        values = tuple(found)
        first = values[0]
        if all(type(v) is type(first) and v == first for v in values):
            return first
        if values not in self.sizes:
            self.sizes[values] = self._size(values)
        return self.sizes[values]

    def _size(self, found: Sequence[Any]) -> Any:
        if not any(map(is_symbol, found)):
            return self.expression([int(v) for v in found])
        sums = [terms_of(v) for v in found]
        total: Any = 0
        for term in dict.fromkeys(t for s in sums for t in s):
            count = self.expression([s.get(term, 0) for s in sums])
            if count is None:
                return None
            total = total + count * term
        return total

    def shape(self, found: Sequence[Any]) -> Any:
        """An abstract value."""
        first = found[0]
        if any(type(a) is not type(first) for a in found):
            raise Differs(f"{said(found)} at {self.place}")
        if not hasattr(first, "shape"):
            return first
        kinds = {
            (len(a.shape), str(a.dtype), getattr(a, "weak_type", 0)) for a in found
        }
        if len(kinds) > 1:
            raise Differs(f"arrays {said(found)} at {self.place}")
        return with_shape(first, self.value([tuple(a.shape) for a in found]))

    def value(self, found: Sequence[Any]) -> Any:
        """What is static in an equation."""
        first = found[0]
        if isinstance(first, ClosedJaxpr):
            return self.closed(found)
        if isinstance(first, Jaxpr):
            return self.jaxpr(found)[0]
        if all(map(is_size, found)):
            size = self.size(found)
            if size is None:
                raise Differs(f"{said(found)} at {self.place}")
            return size
        if any(type(v) is not type(first) for v in found):
            raise Differs(f"{said(found)} at {self.place}")
        if isinstance(first, Layer):
            return self._layer(found)
        if isinstance(first, (tuple, list)):
            return self._parts(first, found)
        if isinstance(first, Mapping):
            if any(list(v) != list(first) for v in found):
                raise Differs(f"{said(found)} at {self.place}")
            return {k: self.value([v[k] for v in found]) for k in first}
        if is_dataclass(first) and not isinstance(first, type):
            names = [f.name for f in fields(first) if f.init]
            parts = {n: self.value([getattr(v, n) for v in found]) for n in names}
            changed = {n: p for n, p in parts.items() if p is not getattr(first, n)}
            return replace(first, **changed) if changed else first
        is_code = callable(first) or hasattr(first, "call_wrapped")
        if is_code or all(same(v, first) for v in found):
            return first
        raise Differs(f"{said(found)} at {self.place}")

    def _parts(self, first: Any, found: Sequence[Any]) -> Any:
        if any(len(v) != len(first) for v in found):
            raise Differs(f"{said(found)} at {self.place}")
        parts = [self.value(list(group)) for group in zip(*found, strict=True)]
        if all(a is b for a, b in zip(parts, first, strict=True)):
            return first
        return first._make(parts) if hasattr(first, "_make") else type(first)(parts)

    def _layer(self, found: Sequence[Layer]) -> Layer:
        first = found[0]
        parts = [(s.op, s.operands, s.slots, s.event, {**s.attributes}) for s in found]
        if not all(same(p, parts[0]) for p in parts):
            raise Differs(f"{first.of or first.op} with other settings at {self.place}")
        return first


class _Scope:
    """The equations of one jaxpr."""

    def __init__(self, owner: _Alignment, known: list[dict[Var, Any]]) -> None:
        self.owner = owner
        self.known = known
        self.equations: list[JaxprEqn] = []
        self.numbers = Quantities(owner.size, self.equations)

    def declared(
        self, lists: Sequence[Sequence[Var]], constants: Sequence[Sequence[Any]] = ()
    ) -> list[tuple[Var, Any]]:
        """New variables for those of all traces, with the constants that they are."""
        if len({len(vs) for vs in lists}) > 1:
            raise Differs(f"other constants or inputs at {self.owner.place}")
        made: list[tuple[Var, Any]] = []
        given = list(zip(*constants, strict=True)) or [()] * len(lists[0])
        for variables, arrays in zip(zip(*lists, strict=True), given, strict=True):
            aval = self.owner.shape([v.aval for v in variables])
            new, kept = new_variable(aval), arrays[0] if arrays else None
            if arrays and not all(same(a, kept) for a in arrays):
                found = self.numbers.row(arrays, aval)
                if found is None:
                    raise Differs(
                        f"a constant array {said([v.aval for v in variables])}"
                    )
                new, kept = found, None
            for own, variable in zip(self.known, variables, strict=True):
                own[variable] = new
            made.append((new, kept))
        return made

    def atom(self, atoms: Sequence[Any]) -> Any:
        """What flows in."""
        first = atoms[0]
        if all(isinstance(a, Literal) for a in atoms):
            if all(same(a.val, first.val) for a in atoms):
                return first
            aval = self.owner.shape([a.aval for a in atoms])
            found = self.numbers.number([a.val for a in atoms], aval, dtype_of(first))
            if found is None:
                values = said([a.val for a in atoms])
                raise Differs(f"the numbers {values} at {self.owner.place}")
            return found
        if not any(isinstance(a, Literal) for a in atoms):
            made = {id(v): v for v in map(_get, self.known, atoms)}
            if len(made) == 1:
                return next(iter(made.values()))
        raise Differs(f"what flows into an equation at {self.owner.place}")

    def equation(self, group: Sequence[JaxprEqn]) -> None:
        first = group[0]
        name = first.primitive.name
        line = line_of(first)
        self.owner.place = f"{line} ({name})" if line else name
        if any(e.primitive is not first.primitive for e in group):
            others = dict.fromkeys(e.primitive.name for e in group)
            raise Differs(f"{' or '.join(others)} at {line or 'a line of a library'}")
        if any(
            len(e.invars) != len(first.invars) or list(e.params) != list(first.params)
            for e in group
        ):
            raise Differs(f"{name} of other operands at {self.owner.place}")
        given = [
            self.atom(atoms) for atoms in zip(*(e.invars for e in group), strict=True)
        ]
        params = self.owner.value([e.params for e in group])
        self.owner.place = f"{line} ({name})" if line else name
        made = [v for v, _ in self.declared([e.outvars for e in group])]
        self.equations.append(
            first.replace(invars=given, outvars=made, params=dict(params))
        )


def _get(known: dict[Var, Any], variable: Var) -> Any:
    return known[variable]
