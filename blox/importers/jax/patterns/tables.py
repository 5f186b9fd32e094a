"""Tables of angles in which both of a pair have the same: as tables of one for each pair."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jax import lax

from ..internals import JaxprEqn, Literal, evaluated
from ..seen import Seen, Size
from ..spelling import ELEMENTWISE
from .halves import joined
from .proposal import Site


@dataclass(frozen=True)
class Half:
    """A table of one for each pair.

    Args:
        seen: the array that it is made of.
        made: what makes it, None where it is that.
        table: the table for both of a pair that is there, if it is one.
    """

    seen: Seen
    made: Callable[[Any], Any] | None = None
    table: int | None = None


def half_of(
    site: Site, node: int, axes: Sequence[int | None], layout: str
) -> Half | None:
    """A table as one of one for each pair; None where the two of a pair may differ.

    Args:
        axes: those that are wanted, the last one being that of features.
        layout: how pairs lie in the table; "" where it has one for each.
    """
    shape = site.table.nodes[node].shape
    if not layout:
        return Half(_seen(node, axes, shape))
    features = axes[-1]
    if features is None:
        return None
    steps: list[Callable[[Any], Any]] = []
    inner, places = node, {a: a for a in range(len(shape))}
    while (whole := joined(site, inner, places[features])) is None:
        made = site.table.nodes[inner]
        equation = site.maker(inner)
        if equation is None or equation.primitive.name not in ELEMENTWISE:
            return None
        flowing = [x for x in made.operands if site.table.nodes[x[0]].number is None]
        if len(flowing) != 1:
            return None
        inner, relative = flowing[0]
        below = [a for a in relative if a is not None]
        if len(below) != len(relative):
            return None
        steps.append(partial(_step, site, equation))
        places = {a: below[b] for a, b in places.items()}
    if whole.layout != layout or not whole.is_twice:
        return None
    places = {a: whole.places[0][b] for a, b in places.items()}
    own = tuple(None if a is None else places[a] for a in axes)
    inner = whole.nodes[0]

    def made_of(x: Any) -> Any:
        for step in reversed(steps):
            x = step(x)
        return x

    return Half(_seen(inner, own, site.table.nodes[inner].shape), made_of, node)


def _seen(node: int, axes: Sequence[int | None], shape: Sequence[Size]) -> Seen:
    kept = list(axes)
    while kept[0] is None:
        del kept[0]
    return Seen(node, tuple(kept), tuple(1 if a is None else shape[a] for a in kept))


def _step(site: Site, equation: JaxprEqn, x: Any) -> Any:
    """What an equation that goes element by element gives for another array; all else that
    flows in is a number."""
    given = []
    for atom in equation.invars:
        number = site.table.nodes[site.of(atom).node].number
        if isinstance(atom, Literal) and number is None:
            number = np.asarray(atom.val)
        given.append(x if number is None else lax.full_like(x, number, number.dtype))
    (made,) = evaluated(equation, given)
    return made
