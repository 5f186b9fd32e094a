"""Values by number: equations that compute the same have one, whatever the layout.

Axes have no order here but that of the array that first had them. Transposes, broadcasts
and axes of size 1 are kept aside, so that a formula is the same under `vmap` over any axis,
and with `keepdims` or without.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .flatten import value_of
from .internals import Atom, JaxprEqn, Literal, Var
from .neutral import FOLDED, neutral
from .seen import Seen, Size, Unknown, frame, grown, joined, lifted, regrouped
from .spelling import (
    COMMUTATIVE,
    ELEMENTWISE,
    LAYOUT,
    REDUCE,
    REDUCE_INDEX,
    SAME,
    Identity,
    params_of,
    size_of,
    sizes_of,
    spelling,
)
from .table import Node, Table


class Numbering:
    """Gives each value of equations its number.

    Args:
        custom: where the function with derivatives of its own is defined that gives a
            variable: it is another value than what it computes.
    """

    def __init__(
        self, table: Table, custom: Mapping[Var, str], known: Mapping[Var, Any]
    ) -> None:
        self.table = table
        self.custom = custom
        self.known = known
        self.seen: dict[Var, Seen] = {}

    def of(self, atom: Atom) -> Seen:
        """The value of a literal or variable."""
        if isinstance(atom, Literal):
            value = value_of(atom)
            return self.number(value) if not value.ndim else self.array(value)
        if atom not in self.seen:
            dtype = str(getattr(atom.aval, "dtype", ""))
            if atom in self.known and not dtype.startswith("key"):
                self.seen[atom] = self.array(np.asarray(self.known[atom]))
            else:
                kind = ("leaf", Identity(atom))
                self.seen[atom] = self.new(kind, sizes_of(atom), dtype)
        return self.seen[atom]

    def number(self, value: Any) -> Seen:
        found = np.asarray(value)
        kind = ("number", str(found.dtype), found.tobytes())
        made = Node(kind, (), str(found.dtype), number=found, fixed=True)
        return Seen(self.table.find(kind, lambda: made), (), ())

    def array(self, value: Any) -> Seen:
        """A captured array."""
        if value.dtype == object or value.dtype.kind not in "biufcV":
            return self.new(("known", Identity(value)), value.shape, "")
        if value.size and (value == value.flat[0]).all():
            seen = self.number(value.flat[0])
            return Seen(seen.node, (None,) * value.ndim, value.shape)
        kind = ("array", value.shape, value.tobytes())
        return self.new(kind, value.shape, str(value.dtype), fixed=True)

    def new(
        self,
        kind: Any,
        shape: Sequence[Size],
        dtype: str,
        *,
        operands: Sequence[Seen] = (),
        fixed: bool = False,
    ) -> Seen:
        """A value that keeps its axes, but for those of size 1."""
        own = [i for i, size in enumerate(shape) if size != 1]
        given = tuple((s.node, ()) for s in operands)
        made = Node(kind, tuple(shape[i] for i in own), dtype, given, fixed=fixed)
        node = self.table.find((kind, tuple(shape), dtype), lambda: made)
        axes = tuple(own.index(i) if i in own else None for i in range(len(shape)))
        return Seen(node, axes, tuple(shape))

    def equation(self, equation: JaxprEqn) -> None:
        """Numbers what an equation gives."""
        given = [self.of(v) for v in equation.invars]
        for variable, seen in zip(
            equation.outvars, self.outputs(equation, given), strict=True
        ):
            self.seen[variable] = self.named(variable, seen)

    def named(self, variable: Var, seen: Seen) -> Seen:
        """The output of a function with derivatives of its own."""
        if variable not in self.custom:
            return seen
        kind = ("custom", self.custom[variable], seen.node)
        inner = self.table.nodes[seen.node]
        made = Node(kind, inner.shape, inner.dtype, fixed=inner.fixed)
        return seen._replace(node=self.table.find(kind, lambda: made))

    def outputs(self, equation: JaxprEqn, given: Sequence[Seen]) -> list[Seen]:
        """The values that an equation gives."""
        name = equation.primitive.name
        if name in SAME:
            return list(given)
        arranged = self.arranged(equation, given)
        if arranged is not None:
            return [arranged]
        if name in ELEMENTWISE and not equation.effects:
            return [self.elementwise(equation, given)]
        if name in REDUCE or name in REDUCE_INDEX:
            found = self.reduced(equation, given[0])
            if found is not None:
                return [found]
        if name == "dot_general":
            found = self.product(equation, given[0], given[1])
            if found is not None:
                return [found]
        return self.opaque(equation, given)

    def arranged(self, equation: JaxprEqn, given: Sequence[Seen]) -> Seen | None:
        """What only lies otherwise."""
        name, params = equation.primitive.name, equation.params
        ends = (*equation.invars[:1], *equation.outvars)
        if name in LAYOUT and not any(sizes_of(v) for v in ends):
            return given[0]  # in a formula of single elements
        if name == "transpose":
            return given[0].transpose(params["permutation"])
        if name == "squeeze":
            gone = {int(d) for d in params["dimensions"]}
            rank = len(given[0].axes)
            return given[0].transpose([i for i in range(rank) if i not in gone])
        if name == "broadcast_in_dim":
            shape = tuple(map(size_of, params["shape"]))
            return grown(given[0], shape, [*map(int, params["broadcast_dimensions"])])
        if name == "reshape" and params.get("dimensions") is None:
            return regrouped(given[0], tuple(map(size_of, params["new_sizes"])))
        if name == "convert_element_type":
            aval: Any = equation.invars[0].aval
            if str(aval.dtype) == str(params["new_dtype"]):
                return given[0]
        return None

    def elementwise(self, equation: JaxprEqn, given: Sequence[Seen]) -> Seen:
        name, params, given = spelling(equation, given)
        given = lifted(given)
        if (same := neutral(self.table, name, given)) is not None:
            return same
        if (folded := self.folded(name, equation, given)) is not None:
            return folded
        if name in COMMUTATIVE:
            given = sorted(given, key=lambda s: s.node)
        order = frame(given)
        relative = tuple((s.node, tuple(s.axes[i] for i in order)) for s in given)
        shape = joined([s.shape for s in given])
        dtype = _dtype(equation)
        nodes = self.table.nodes
        kind = (name, params)
        made = Node(
            kind,
            tuple(shape[i] for i in order),
            dtype,
            relative,
            fixed=all(nodes[s.node].fixed for s in given),
        )
        node = self.table.find((kind, dtype, relative), lambda: made)
        axes = tuple(order.index(i) if i in order else None for i in range(len(shape)))
        return Seen(node, axes, shape)

    def folded(
        self, name: str, equation: JaxprEqn, given: Sequence[Seen]
    ) -> Seen | None:
        """The number that numbers give."""
        calculate = FOLDED.get(name)
        if calculate is None or any(s.node < 0 for s in given):
            return None
        numbers = [self.table.nodes[s.node].number for s in given]
        if any(number is None for number in numbers):
            return None
        with np.errstate(all="ignore"):
            found = np.asarray(calculate(*numbers)).astype(_dtype(equation))
        shape = joined([s.shape for s in given])
        return Seen(self.number(found).node, (None,) * len(shape), shape)

    def reduced(self, equation: JaxprEqn, x: Seen) -> Seen | None:
        gone = [int(a) for a in equation.params["axes"]]
        kept = [i for i in range(len(x.axes)) if i not in gone]
        if any(x.axes[i] is None and x.shape[i] != 1 for i in gone):
            return None
        own = sorted(a for i in gone if (a := x.axes[i]) is not None)
        if not own:
            return x.transpose(kept) if equation.primitive.name in REDUCE else None
        inner = self.table.nodes[x.node]
        params = tuple(p for p in params_of(equation) if p[0] != "axes")
        kind = (equation.primitive.name, params, x.node, tuple(own))
        rest = [i for i in range(len(inner.shape)) if i not in own]
        made = Node(
            kind,
            tuple(inner.shape[i] for i in rest),
            _dtype(equation),
            ((x.node, tuple(rest)),),
            fixed=inner.fixed,
        )
        node = self.table.find(kind, lambda: made)
        seen = x.transpose(kept)
        axes = tuple(None if a is None else rest.index(a) for a in seen.axes)
        return Seen(node, axes, seen.shape)

    def product(self, equation: JaxprEqn, a: Seen, b: Seen) -> Seen | None:
        """A product, its factors in an order of their own."""
        pair = [a, b]
        if any(
            x is None and s != 1
            for y in pair
            for x, s in zip(y.axes, y.shape, strict=True)
        ):
            return None
        contract, batch = equation.params["dimension_numbers"]
        sides = [[[int(i) for i in side] for side in x] for x in (contract, batch)]
        (ca, cb), (ba, bb) = sides
        free_a = [i for i in range(len(a.axes)) if i not in (*ca, *ba)]
        free_b = [i for i in range(len(b.axes)) if i not in (*cb, *bb)]
        places = [*((i, j) for i, j in zip(ba, bb, strict=True))]
        outputs: list[tuple[int | None, int | None]] = [
            *places,
            *((i, None) for i in free_a),
            *((None, j) for j in free_b),
        ]

        def named(i: int | None, j: int | None) -> tuple[int, int]:
            at = -1 if i is None or a.axes[i] is None else a.axes[i]
            to = -1 if j is None or b.axes[j] is None else b.axes[j]
            return (at, to) if not flip else (to, at)  # type: ignore[return-value]

        flip = a.node > b.node
        summed = sorted(named(i, j) for i, j in zip(ca, cb, strict=True))
        summed = [pair for pair in summed if pair != (-1, -1)]
        every = [named(i, j) for i, j in outputs]
        order = sorted({p for p in every if p != (-1, -1)})
        params = tuple(
            p
            for p in params_of(equation)
            if p[0] not in ("dimension_numbers", "preferred_element_type")
        )
        nodes = (b.node, a.node) if flip else (a.node, b.node)
        dtype = _dtype(equation)
        kind = ("dot_general", params, nodes, tuple(summed), tuple(order), dtype)
        sizes = [a.shape[i] if i is not None else b.shape[j or 0] for i, j in outputs]
        shape = tuple(sizes[every.index(p)] for p in order)
        table = self.table.nodes
        made = Node(
            kind,
            shape,
            dtype,
            tuple((n, ()) for n in nodes),
            fixed=all(table[n].fixed for n in nodes),
        )
        node = self.table.find(kind, lambda: made)
        axes = tuple(None if p == (-1, -1) else order.index(p) for p in every)
        return Seen(node, axes, tuple(sizes))

    def opaque(self, equation: JaxprEqn, given: Sequence[Seen]) -> list[Seen]:
        """Anything else: equal operands in equal layouts give equal values."""
        if any(s.node < 0 for s in given):
            raise Unknown
        kind: Any = (equation.primitive.name, params_of(equation), tuple(given))
        if equation.effects:
            kind = ("once", Identity(equation))
        nodes = self.table.nodes
        fixed = all(nodes[s.node].fixed for s in given) and not equation.effects
        return [
            self.new(
                (*kind, i),
                sizes_of(v),
                _dtype(equation, i),
                operands=given,
                fixed=fixed,
            )
            for i, v in enumerate(equation.outvars)
        ]


def _dtype(equation: JaxprEqn, index: int = 0) -> str:
    return str(getattr(equation.outvars[index].aval, "dtype", ""))
