"""Ops of one array along axes: their own functions, and how people write them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp

from ..internals import JaxprEqn, Literal, Var
from ..matching import trace
from ..spelling import first_name, sizes_of
from .proposal import Proposal, Site, formula


@dataclass(frozen=True)
class Along:
    """An op of x along an axis, or over several.

    Args:
        starts: the primitives that x flows into first.
        function: the formula, if it is not the op's function; it takes what that takes.
        numbers: attributes that may be any number.
        choices: attributes, and what is tried for each.
        single: True where it has one axis.
        whole: True where no axis means all of them.
        hinted: True where the axes are those over which something is reduced nearby.
    """

    op: str
    starts: tuple[str, ...]
    function: Callable[..., Any] | None = None
    numbers: tuple[str, ...] = ()
    choices: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    single: bool = False
    whole: bool = False
    hinted: bool = True

    @cached_property
    def consumers(self) -> set[str]:
        """The primitives that x flows into."""
        values = [v[0] for v in self.choices.values()]
        attributes = {"axis": -1, **dict(zip(self.choices, values, strict=True))}
        function = partial(self.function or formula(self.op), **attributes)
        x = jax.ShapeDtypeStruct((3, 4), "float32")
        traced = trace(function, {"x": x}, self.numbers)
        assert traced is not None
        variable = traced.operands["x"]
        return {
            first_name(e)
            for e in traced.equations
            if any(v is variable for v in e.invars)
        }

    def proposals(self, site: Site, equation: JaxprEqn) -> Iterator[Proposal]:
        for x in operands_of(site, equation):
            shape: Any = x.aval
            seen = site.of(x)
            if not self.consumers <= site.consumers(seen.node):
                continue
            for own in self.axes(site, x):
                axes = said_axes(own, len(seen.axes))
                everything = len(own) == len(site.table.nodes[seen.node].shape)
                ways = [axes, None] if self.whole and everything else [axes]
                for axis, *values in product(ways[::-1], *self.choices.values()):
                    attributes = {
                        "axis": axis,
                        **dict(zip(self.choices, values, strict=True)),
                    }
                    yield Proposal(
                        op=self.op,
                        function=partial(
                            self.function or formula(self.op),
                            **plain_attributes(attributes),
                        ),
                        shapes={"x": jax.ShapeDtypeStruct(shape.shape, shape.dtype)},
                        given={"x": seen},
                        key=(id(self), *x_key(x), str(attributes)),
                        numbers=self.numbers,
                        attributes=attributes,
                    )

    def axes(self, site: Site, x: Var) -> list[tuple[int, ...]]:
        """The positions of axes that are tried."""
        seen = site.of(x)
        positions = {a: i for i, a in enumerate(seen.axes) if a is not None}
        if self.hinted:
            found = site.reductions(seen.node)
            every = [tuple(sorted(positions[a] for a in own)) for own in found]
        else:
            every = [(i,) for i in range(len(seen.axes))]
        return [own for own in every if len(own) == 1 or not self.single]


def plain_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes as a function takes them."""
    return {n: tuple(a) if isinstance(a, list) else a for n, a in attributes.items()}


def operands_of(site: Site, equation: JaxprEqn) -> list[Var]:
    """The arrays that flow into an equation, as they are and in their own layout."""
    found: dict[Var, None] = {}
    for atom in equation.invars:
        if isinstance(atom, Literal):
            continue
        node = site.of(atom).node
        base = site.base(node)
        for variable in (base, atom):
            if variable is not None and sizes_of(variable):
                found[variable] = None
    return list(found)


def said_axes(own: Sequence[int], rank: int) -> Any:
    """Axes as an attribute: from the end."""
    axes = [i - rank for i in own]
    return axes[0] if len(axes) == 1 else axes


def x_key(x: Var) -> tuple[Any, ...]:
    aval: Any = x.aval
    return sizes_of(x), str(aval.dtype)


def _softmax(x: jax.Array, *, axis: Any) -> jax.Array:
    y = jnp.exp(x - jnp.max(x, axis=axis, keepdims=True))
    return y / jnp.sum(y, axis=axis, keepdims=True)


def _softmax_stopped(x: jax.Array, *, axis: Any) -> jax.Array:
    top = jax.lax.stop_gradient(jnp.max(x, axis=axis, keepdims=True))
    y = jnp.exp(x - top)
    return y / jnp.sum(y, axis=axis, keepdims=True)


def _log_softmax(x: jax.Array, *, axis: Any) -> jax.Array:
    y = x - jnp.max(x, axis=axis, keepdims=True)
    return y - jnp.log(jnp.sum(jnp.exp(y), axis=axis, keepdims=True))


KEPT = {"keepdims": (False, True)}
SPREAD = {**KEPT, "ddof": (0, 1)}
SUM, MAX = ("reduce_sum",), ("reduce_max",)
SOFTMAX = (
    Along("softmax", MAX),
    Along("softmax", MAX, _softmax),
    Along("softmax", MAX, _softmax_stopped),
)
ALONG: tuple[Along, ...] = (
    *SOFTMAX,
    Along("log_softmax", MAX),
    Along("log_softmax", MAX, _log_softmax),
    Along("logsumexp", MAX, choices=KEPT, whole=True),
    Along("logmeanexp", MAX, choices=KEPT, whole=True),
    Along("std", SUM, choices=SPREAD, whole=True),
    Along("var", SUM, choices=SPREAD, whole=True),
    Along("mean", SUM, choices=KEPT, whole=True),
    Along("ptp", (*MAX, "reduce_min"), choices=KEPT, whole=True),
    Along(
        "norm",
        ("abs", "square", "reduce_sum"),
        choices={**KEPT, "ord": (2,)},
        whole=True,
    ),
    Along("count_nonzero", ("ne",), choices=KEPT, whole=True),
    *(
        Along(op, ("ne",), choices=KEPT, whole=True)
        for op in ("nansum", "nanprod", "nanmean", "nanmax", "nanmin")
    ),
    *(Along(op, ("ne",), choices=SPREAD, whole=True) for op in ("nanvar", "nanstd")),
    Along("median", ("sort", "ne"), choices=KEPT, hinted=False, single=True),
    Along("cumlogsumexp", ("cumlogsumexp",), hinted=False, single=True),
    Along("glu", ("slice", "split"), hinted=False, single=True),
)
