"""Our arrays one copy each: what names of rules stand for.

A scanned repeat keeps its copies stacked in one array of Params, an unrolled one in a list.
By the names here both are the same: `encoder.0.up.kernel`, `encoder.1.up.kernel`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from math import prod
from typing import NamedTuple

from blox.schema import Leaf, ModelError
from blox.schema.diagnostics import Diagnostic

from .spec import Spec

MAX_UNITS = 200_000


class Unit(NamedTuple):
    """`params[path][at]`, which rules call `name`; `spec` is that of this part."""

    name: str
    path: str
    at: tuple[int, ...]
    spec: Spec


def units_of(path: str, leaf: Leaf) -> Iterator[Unit]:
    """The copies of a leaf, or the leaf itself where it isn't stacked."""
    parts = path.split(".")
    cuts = [len(parts) - below for below in leaf.below]
    spec = Spec(tuple(leaf.shape), leaf.dtype)
    for index in product(*map(range, leaf.stack)):
        numbered = list(parts)
        for cut, number in zip(reversed(cuts), reversed(index), strict=True):
            numbered.insert(cut, str(number))
        yield Unit(".".join(numbered), path, index, spec)


def whole(path: str, leaf: Leaf) -> Unit:
    """All copies of a leaf, as Params have them."""
    return Unit(path, path, (), Spec(tuple(leaf.full_shape), leaf.dtype))


def all_units(leaves: Mapping[str, Leaf]) -> dict[str, list[Unit]]:
    """The units of every leaf, by its path.

    Raises:
        ModelError: too many.
    """
    count = sum(prod(leaf.stack) for leaf in leaves.values())
    if count > MAX_UNITS:
        message = f"expected at most {MAX_UNITS} copies of arrays, found {count}"
        raise ModelError(Diagnostic("params", "", message))
    return {path: [*units_of(path, leaf)] for path, leaf in leaves.items()}


def pattern_of(path: str, leaf: Leaf) -> str:
    """The name of all copies of a leaf in a rule: `encoder.{i}.up.kernel`."""
    parts = path.split(".")
    letters = iter("ijklmnopq" * 4)
    for below in sorted(leaf.below, reverse=True):
        parts.insert(len(parts) - below, "{}")
    named = [f"{{{next(letters)}}}" if part == "{}" else part for part in parts]
    return ".".join(named)
