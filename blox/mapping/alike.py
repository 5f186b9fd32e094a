"""Names that differ by a number alone, as one pattern; the arrays of one layer together."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from .spec import Spec

_NUMBER = re.compile(r"(?<![0-9])(0|[1-9][0-9]{0,8})(?![0-9])")
_MAX_FIRST = 999_999  # as {i+1} has it
_Key: TypeAlias = tuple[tuple[str, ...], Spec]
"""Of names that differ by numbers alone: what stands around the numbers, their shape."""
_Row: TypeAlias = tuple[str, tuple[int, ...]]
"""A name, and the numbers in it."""
_CELL = re.compile(r"((?:weight|bias)_[ih]h)_(l(?:[0-9]+|\{i[^}]*\})(?:_reverse)?)")
"""Arrays of `torch.nn.LSTM` and its like: of each layer and direction a cell."""
_COLLECTIONS = ("params", "batch_stats", "state")


@dataclass
class Layer:
    """The arrays of a layer, or of copies of it that are alike.

    Attributes:
        name: a pattern, `{i}` for the number of the copy.
        copies: how many; None for one that has no number.
        arrays: the pattern and what is known of one copy, by the last part of the name.
    """

    name: str
    copies: int | None
    arrays: dict[str, tuple[str, Spec]] = field(default_factory=dict)

    @property
    def kind(self) -> tuple[object, ...]:
        """Equal for layers whose arrays may be each other's."""
        sizes = (math.prod(spec.shape) for _, spec in self.arrays.values())
        return self.copies, tuple(sorted(sizes))


def layers_of(specs: Mapping[str, Spec]) -> list[Layer]:
    """The layers that arrays belong to, by their names."""
    found: dict[tuple[str, int | None], Layer] = {}
    for pattern, copies, spec in _patterns(specs):
        layer, last = _outer(pattern), pattern.rpartition(".")[2]
        if cell := _CELL.fullmatch(last):
            layer, last = f"{layer}.{cell[2]}", cell[1]
        whole = found.setdefault((layer, copies), Layer(layer, copies))
        whole.arrays[last] = (pattern, spec)
    return list(found.values())


def stacked_layers(
    specs: Mapping[str, Spec], counts: Collection[int | None]
) -> list[Layer]:
    """Layers whose arrays all have as many copies on their first axis, each a copy less."""
    found: dict[str, Layer] = {}
    for name, spec in specs.items():
        layer = found.setdefault(_outer(name), Layer(_outer(name), None))
        layer.arrays[name.rpartition(".")[2]] = (name, spec)
    stacked = []
    for layer in found.values():
        first = {spec.shape[:1] for _, spec in layer.arrays.values()}
        count = min(first)
        if len(first) == 1 and count and count[0] in counts:
            inner = {
                word: (name, Spec(spec.shape[1:], spec.dtype))
                for word, (name, spec) in layer.arrays.items()
            }
            stacked.append(Layer(layer.name, count[0], inner))
    return stacked


def _outer(pattern: str) -> str:
    """The layer that an array belongs to, without the collection of Flax or Haiku."""
    layer = pattern.rpartition(".")[0]
    collection, _, rest = layer.partition(".")
    return rest if collection in _COLLECTIONS and rest else layer


def _patterns(specs: Mapping[str, Spec]) -> Iterator[tuple[str, int | None, Spec]]:
    """(pattern, copies, one copy) of all names; those that don't go together are their own."""
    groups: dict[_Key, list[_Row]] = {}
    for name, spec in specs.items():
        pieces = _NUMBER.split(name)
        numbers = tuple(map(int, pieces[1::2]))
        groups.setdefault((tuple(pieces[::2]), spec), []).append((name, numbers))
    for (texts, spec), rows in groups.items():
        columns = [set(column) for column in zip(*(n for _, n in rows), strict=True)]
        differing = [k for k, column in enumerate(columns) if len(column) > 1]
        if not differing:
            yield from ((name, None, spec) for name, _ in rows)
            continue
        outer = differing[0]
        inner: dict[tuple[int, ...], list[_Row]] = {}
        for name, numbers in rows:
            others = (*numbers[:outer], *numbers[outer + 1 :])
            inner.setdefault(others, []).append((name, numbers))
        for some in inner.values():
            pattern = _joined(texts, some, outer)
            if pattern is None:
                yield from ((name, None, spec) for name, _ in some)
            else:
                yield pattern, len(some), spec


def _joined(texts: tuple[str, ...], rows: list[_Row], outer: int) -> str | None:
    """The pattern of names of which one number differs; None where some are left out."""
    column = sorted(numbers[outer] for _, numbers in rows)
    first, count = column[0], len(column)
    if count < 2 or column != list(range(first, first + count)) or first > _MAX_FIRST:
        return None
    shown = [str(number) for number in rows[0][1]]
    shown[outer] = f"{{i+{first}}}" if first else "{i}"
    return texts[0] + "".join(map(str.__add__, shown, texts[1:]))
