"""Norms with what they are scaled by and what is added to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from blox.ops.library import op_function

from ..seen import Seen
from .proposal import Site, Whole, formula


def joined(
    site: Site, alone: Whole, axes: tuple[int, ...], name: str, primitive: str
) -> Iterator[Whole]:
    """With a parameter of these axes that what comes out is multiplied by, or that is
    added to it."""
    output = alone.output
    nodes = site.table.nodes
    for user in site.users(output.node):
        made = nodes[user]
        if made.kind[0] != primitive or len(made.operands) != 2:
            continue
        for (node, own), (other, relative) in (made.operands, made.operands[::-1]):
            if node != output.node or other == node or nodes[other].number is not None:
                continue
            places = [own.index(output.axes[i]) for i in axes]
            given = [relative[place] for place in places]
            rest = [a for f, a in enumerate(relative) if f not in places]
            if None in own or None in given or any(a is not None for a in rest):
                continue
            if (
                len(given) != len(nodes[other].shape)
                or nodes[other].dtype != made.dtype
            ):
                continue
            order = tuple(a for a in given if a is not None)
            shape = tuple(nodes[other].shape[a] for a in order)
            yield replace(
                alone,
                operands={**alone.operands, name: Seen(other, order, shape)},
                slots=(*alone.slots, name),
                output=Seen(
                    user,
                    tuple(None if a is None else own.index(a) for a in output.axes),
                    output.shape,
                ),
            )


def parameters(site: Site, alone: Whole, axes: tuple[int, ...]) -> Iterator[Whole]:
    """With scale, with bias, with both, and alone."""
    more = () if alone.slots else joined(site, alone, axes, "scale", "mul")
    for scaled in (*more, alone):
        yield from joined(site, scaled, axes, "bias", "add")
        yield scaled


def with_slots(alone: Whole) -> Whole:
    return replace(alone, slots=("scale",) if "scale" in alone.operands else ())


def said_norm(op: str, whole: Whole, more: Mapping[str, Any]) -> Whole:
    uses = {f"use_{n}": False for n in ("scale", "bias") if n not in whole.slots}
    return named(op, whole, {**whole.attributes, **more, **uses})


def named(op: str, whole: Whole, attributes: Mapping[str, Any]) -> Whole:
    own = op_function(op).attributes
    taken = {n: v for n, v in attributes.items() if n in own}
    plain = {n: tuple(v) if isinstance(v, list) else v for n, v in taken.items()}
    function = partial(formula(op), **plain)
    return replace(whole, op=op, attributes=attributes, function=function)
