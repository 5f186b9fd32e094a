"""Names that differ by a number alone, as one pattern; the arrays of one layer together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from .spec import Spec

_PART = re.compile(r"(.*?)([0-9]{1,9})?", re.DOTALL)
_Key: TypeAlias = tuple[tuple[str, ...], tuple[bool, ...], Spec]
"""Of names that differ by numbers alone: their texts, where numbers stand, their shape."""
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
        shapes = (spec.shape for _, spec in self.arrays.values())
        sizes = (tuple(sorted(n for n in shape if n != 1)) for shape in shapes)
        return self.copies, tuple(sorted(sizes))


def layers_of(specs: Mapping[str, Spec]) -> list[Layer]:
    """The layers that arrays belong to, by their names."""
    found: dict[tuple[str, int | None], Layer] = {}
    for pattern, copies, spec in _patterns(specs):
        layer, _, last = pattern.rpartition(".")
        collection, _, rest = layer.partition(".")
        layer = rest if collection in _COLLECTIONS and rest else layer
        whole = found.setdefault((layer, copies), Layer(layer, copies))
        whole.arrays[last] = (pattern, spec)
    return list(found.values())


def _patterns(specs: Mapping[str, Spec]) -> Iterable[tuple[str, int | None, Spec]]:
    """(pattern, copies, one copy) of all names; those that don't go together are their own."""
    groups: dict[_Key, list[tuple[str, tuple[int, ...]]]] = {}
    for name, spec in specs.items():
        parts = [_PART.fullmatch(part) for part in name.split(".")]
        texts = tuple(part[1] if part else "" for part in parts)
        numbers = tuple(int(part[2]) for part in parts if part and part[2])
        open_ = tuple(bool(part and part[2]) for part in parts)
        groups.setdefault((texts, open_, spec), []).append((name, numbers))
    for (texts, open_, spec), rows in groups.items():
        pattern = _joined(texts, open_, [numbers for _, numbers in rows])
        if pattern is None:
            yield from ((name, None, spec) for name, _ in rows)
        else:
            yield pattern, len(rows), spec


def _joined(
    texts: tuple[str, ...], open_: tuple[bool, ...], rows: list[tuple[int, ...]]
) -> str | None:
    """The pattern of names with these numbers, None where more than one number differs."""
    columns = [sorted(set(column)) for column in zip(*rows, strict=True)]
    differing = [k for k, column in enumerate(columns) if len(column) > 1]
    if len(differing) != 1:
        return None
    column = columns[differing[0]]
    first, count = column[0], len(column)
    if column != list(range(first, first + count)) or count != len(rows):
        return None
    hole = f"{{i+{first}}}" if first else "{i}"
    numbers = iter(range(len(columns)))
    parts = []
    for text, has_number in zip(texts, open_, strict=True):
        k = next(numbers) if has_number else -1
        shown = hole if k == differing[0] else str(columns[k][0]) if k >= 0 else ""
        parts.append(f"{text}{shown}")
    return ".".join(parts)
