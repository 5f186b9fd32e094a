"""Norms as people write them, with scale and bias where they follow."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import jax
import numpy as np

from ..internals import JaxprEqn, Var
from ..numbers import number_of
from ..spelling import sizes_of
from . import written_norms as written
from .axes import operands_of, said_axes, x_key
from .group_norms import group_norms
from .parameters import joined, named, parameters, said_norm, with_slots
from .proposal import Proposal, Site, Whole, plain_numbers


def _said(numbers: Mapping[str, Any]) -> Mapping[str, Any] | None:
    eps = number_of(numbers["eps"])
    return {"eps": eps} if eps >= 0 else None  # type: ignore[operator]


def _said_root(numbers: Mapping[str, Any]) -> Mapping[str, Any] | None:
    square = float(numbers["eps"])
    eps = float(str(np.float32(math.sqrt(max(square, 0)))))
    return {"eps": eps} if np.float32(eps**2) == np.float32(square) else None


def _said_length(numbers: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The op squares eps, which float32 must hold."""
    eps = number_of(numbers["eps"])
    return {"eps": eps} if eps > 1e-18 else None  # type: ignore[operator]


@dataclass(frozen=True)
class Normed:
    """A formula of x over the axes over which it is averaged.

    Args:
        starts: the primitives that x flows into.
        wholes: the ops that it is, with what follows.
        scaled: True where it takes a scale.
    """

    function: Callable[..., Any]
    starts: frozenset[str]
    wholes: Callable[[Site, Whole, tuple[int, ...], Var], Iterator[Whole]]
    said: Callable[[Mapping[str, Any]], Mapping[str, Any] | None] = _said
    numbers: tuple[str, ...] = ("eps",)
    scaled: bool = False

    def proposals(self, site: Site, equation: JaxprEqn) -> Iterator[Proposal]:
        for x in operands_of(site, equation):
            seen, aval = site.of(x), cast(Any, x.aval)
            if not self.starts <= site.consumers(seen.node):
                continue
            places = {a: i for i, a in enumerate(seen.axes) if a is not None}
            for own in site.reductions(seen.node):
                over = tuple(sorted(places[a] for a in own))
                axis = tuple(i - len(seen.axes) for i in over)

                def wholes(
                    site: Site, alone: Whole, over: tuple[int, ...] = over, x: Var = x
                ) -> Iterator[Whole]:
                    return self.wholes(site, alone, over, x)

                shapes = {"x": jax.ShapeDtypeStruct(aval.shape, aval.dtype)}
                if self.scaled:
                    shape = [aval.shape[i] for i in over]
                    shapes["scale"] = jax.ShapeDtypeStruct(shape, aval.dtype)
                yield Proposal(
                    op="",
                    function=partial(self.function, axis=axis),
                    shapes=shapes,
                    given={"x": seen},
                    key=(id(self), *x_key(x), axis),
                    numbers=self.numbers,
                    said=self.said,
                    wholes=wholes,
                )


def _layer_norms(
    site: Site, alone: Whole, over: tuple[int, ...], x: Var
) -> Iterator[Whole]:
    alone = with_slots(alone)
    rank = len(alone.output.axes)
    sizes = sizes_of(x)
    features = [sizes[i] for i in over]
    last = over == tuple(range(rank - len(over), rank))
    spatial = over == tuple(range(rank - 1 - len(over), rank - 1))
    if last and all(isinstance(s, int) for s in features):
        more = {"features": features[0] if len(features) == 1 else features}
        for whole in parameters(site, alone, over):
            if whole.slots:
                yield said_norm("layer_norm", whole, more)
    if spatial and not alone.slots and isinstance(sizes[-1], int):
        more = {"features": sizes[-1], "spatial_axes": len(over)}
        for whole in parameters(site, alone, (rank - 1,)):
            if whole.slots:
                yield said_norm("instance_norm", whole, more)
    if not alone.slots:
        yield from group_norms(site, alone, over)
        attributes = {**alone.attributes, "axis": said_axes(over, rank)}
        yield named("standardize", alone, attributes)


def _rms_norms(
    site: Site, alone: Whole, over: tuple[int, ...], x: Var
) -> Iterator[Whole]:
    alone = with_slots(alone)
    rank = len(alone.output.axes)
    features = [sizes_of(x)[i] for i in over]
    if over != tuple(range(rank - len(over), rank)):
        return
    if all(isinstance(s, int) for s in features):
        more = {"features": features[0] if len(features) == 1 else features}
        scaled = [alone] if alone.slots else joined(site, alone, over, "scale", "mul")
        for whole in scaled:
            yield named("rms_norm", whole, {**whole.attributes, **more})


def _l2_norms(
    site: Site, alone: Whole, over: tuple[int, ...], x: Var
) -> Iterator[Whole]:
    axis = said_axes(over, len(alone.output.axes))
    eps = {"eps": 0.0, **alone.attributes}
    yield named("l2_normalize", alone, {"axis": axis, **eps})


CENTRED = frozenset({"reduce_sum", "sub"})
SCALED = frozenset({"square", "mul"})
NORMS: tuple[Normed, ...] = (
    *(
        Normed(
            partial(written.standardized, spread=spread, root=root),
            CENTRED,
            _layer_norms,
        )
        for spread in (written.square, written.variance)
        for root in written.ROOTS
    ),
    *(
        Normed(function, starts, _layer_norms, scaled=True)
        for spread in (written.square, written.variance)
        for function, starts in (
            *(
                (partial(written.scaled_first, spread=spread, root=r), CENTRED)
                for r in written.ROOTS
            ),
            (partial(written.scaled_root, spread=spread), CENTRED),
        )
    ),
    *(
        Normed(
            partial(written.divided_scaled_first, root=root),
            SCALED,
            _rms_norms,
            scaled=True,
        )
        for root in written.ROOTS
    ),
    Normed(written.divided_scaled_root, SCALED, _rms_norms, scaled=True),
    *(
        Normed(
            partial(written.divided, root=root),
            frozenset({"square", "div" if root is written.by_root else "mul"}),
            _rms_norms,
        )
        for root in written.ROOTS
    ),
    *(
        Normed(
            partial(written.of_length_one, root=root),
            frozenset({"square", "div" if root is written.by_root else "mul"}),
            _l2_norms,
            _said_root,
        )
        for root in written.ROOTS
    ),
    Normed(written.over_length, frozenset({"square", "div"}), _l2_norms, _said_length),
    Normed(
        written.over_bare_length,
        frozenset({"square", "div"}),
        _l2_norms,
        plain_numbers,
        numbers=(),
    ),
)
