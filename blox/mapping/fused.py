"""Query, key and value of attention that are one array elsewhere, one after another."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator

from .alike import Layer
from .layouts import Kernel, Split
from .rules import Rule
from .spec import Layout, Spec

_ROLES = {"q": "q", "query": "q", "k": "k", "key": "k", "v": "v", "value": "v"}
_WORD = re.compile("[A-Za-z]+")
_Parts = tuple[Layer, ...]
"""The layers of a query, a key and a value."""


def parted(layers: Iterable[Layer]) -> Iterator[_Parts]:
    """Layers beside each other that are called query, key and value, by their last part."""
    found: dict[tuple[str, int | None], dict[str, Layer]] = {}
    for layer in layers:
        start = layer.name.rfind(".") + 1
        words = _WORD.finditer(layer.name, start)
        roles = [word for word in words if word[0].lower() in _ROLES]
        if len(roles) == 1:
            role = roles[0]
            around = f"{layer.name[: role.start()]} {layer.name[role.end() :]}"
            named = found.setdefault((around, layer.copies), {})
            named[_ROLES[role[0].lower()]] = layer
    for parts in found.values():
        if len(parts) == 3:
            yield tuple(parts[role] for role in "qkv")


def fused_rules(
    parts: _Parts, whole: Layer, *, turned: bool, straight: bool
) -> list[Rule]:
    """The rules by which one layer of theirs is three of ours; none where shapes differ.

    Args:
        parts: ours.
        whole: theirs: a kernel, and a bias if ours have one.
        turned: kernels may be (out, in).
        straight: kernels may be (in, out).
    """
    slots = list(parts[0].arrays)
    alike = all([*part.arrays] == slots for part in parts)
    if not alike or whole.copies != parts[0].copies or len(whole.arrays) != len(slots):
        return []
    rules = []
    for slot in slots:
        patterns, specs = zip(*(part.arrays[slot] for part in parts), strict=True)
        fits = [
            Rule(patterns, name, *layouts)
            for name, given in whole.arrays.values()
            for layouts in _ways(specs, turned=turned, straight=straight)
            if _behind(specs, layouts).shape == given.shape
        ]
        if len(fits) != 1:
            return []
        rules += fits
    return rules


def _ways(
    specs: tuple[Spec, ...], *, turned: bool, straight: bool
) -> Iterator[tuple[Layout, ...]]:
    """The layouts of one array of several; of kernels whose inputs are the same."""
    rank = len(specs[0].shape)
    if rank not in (1, 2) or len({spec.shape[:-1] for spec in specs}) > 1:
        return
    sizes = [spec.shape[-1] for spec in specs]
    unit = math.gcd(*sizes)
    many = len(sizes) if {*sizes} == {unit} else tuple(n // unit for n in sizes)
    if rank == 1:
        yield (Split(many),)
        return
    if turned:
        yield (Split(many), Kernel())
    if straight:
        yield (Split(many, axis=-1),)


def _behind(specs: tuple[Spec, ...], layouts: tuple[Layout, ...]) -> Spec:
    """The array that layouts make these arrays of."""
    there = [*specs]
    for layout in reversed(layouts):
        there = [*layout.unshapes(there)]
    return there[0]
