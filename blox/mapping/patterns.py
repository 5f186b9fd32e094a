"""Patterns of names: `encoder.{i}.up.kernel`, `dense_{i+1}.weight`, `**.position_ids`.

A name is parts with dots between them. In a pattern a part may have one hole: `{i}` for
any text, `{i+1}`, `{2*i}` and `{3*i+1}` for a number that is computed from i; `*` is a hole
without a name, the first of one pattern that of another. `**` stands for one part or more,
once in a pattern. Neither needs a regular expression: a match takes time linear in the name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from blox.schema.diagnostics import Diagnostic, SpecError, quote

Bindings = Mapping[str, str]
"""What the holes of a pattern stand for, by their names."""

_HOLE = re.compile(
    r"(?:(?P<times>[1-9][0-9]{0,5})\*)?(?P<name>[A-Za-z_][A-Za-z0-9_]{0,30})"
    r"(?P<plus>[+-][0-9]{1,6})?"
)
_MAX_LENGTH = 400
_MAX_NAME = 2000
REST = "**"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a pattern: text, or text around a hole of a name."""

    before: str
    hole: str | None = None
    after: str = ""
    times: int = 1
    plus: int = 0

    @property
    def computed(self) -> bool:
        return (self.times, self.plus) != (1, 0)

    def match(self, text: str) -> str | None:
        """What the hole stands for; "" where there is none, None for another text."""
        if self.hole is None:
            return "" if text == self.before else None
        room = len(text) - len(self.before) - len(self.after)
        fits = text.startswith(self.before) and text.endswith(self.after)
        if room < 1 or not fits:
            return None
        found = text[len(self.before) : len(self.before) + room]
        if not self.computed:
            return found
        if not is_number(found):
            return None
        number, rest = divmod(int(found) - self.plus, self.times)
        return str(number) if number >= 0 and not rest else None

    def fill(self, value: str) -> str | None:
        """The text for a value of the hole; None for one that it can't stand for."""
        if self.computed:
            if not is_number(value):
                return None
            number = int(value) * self.times + self.plus
            if number < 0:
                return None
            value = str(number)
        return f"{self.before}{value}{self.after}"


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern of names, read.

    Raises:
        SpecError: `text` is none.
    """

    text: str
    parts: tuple[Part, ...] = field(init=False)
    holes: tuple[str, ...] = field(init=False)
    """The names of its holes, each once, in order; `*0`, `*1` of those without one."""

    def __post_init__(self) -> None:
        if not isinstance(self.text, str) or not 0 < len(self.text) <= _MAX_LENGTH:
            _refuse(self.text, f"expected 1 to {_MAX_LENGTH} characters")
        unnamed = iter(range(_MAX_LENGTH))
        parts = tuple(_part(text, self.text, unnamed) for text in self.text.split("."))
        if sum(part.hole == REST for part in parts) > 1:
            _refuse(self.text, "expected ** once")
        holes = dict.fromkeys(part.hole for part in parts if part.hole is not None)
        object.__setattr__(self, "parts", parts)
        object.__setattr__(self, "holes", tuple(holes))

    def match(self, name: str) -> dict[str, str] | None:
        """What the holes stand for in `name`, None if it doesn't match."""
        if len(name) > _MAX_NAME:
            return None
        texts = name.split(".")
        if REST in self.holes:
            at = next(i for i, part in enumerate(self.parts) if part.hole == REST)
            length = len(texts) - len(self.parts) + 1
            if length < 1:
                return None
            texts[at : at + length] = [".".join(texts[at : at + length])]
        if len(texts) != len(self.parts):
            return None
        found: dict[str, str] = {}
        for part, text in zip(self.parts, texts, strict=True):
            value = part.match(text)
            if value is None:
                return None
            if part.hole is not None and found.setdefault(part.hole, value) != value:
                return None
        return found

    def fill(self, values: Bindings) -> str | None:
        """The name for these values; None for values that can't stand there."""
        found: list[str] = []
        for part in self.parts:
            text = part.before if part.hole is None else part.fill(values[part.hole])
            if text is None:
                return None
            found.append(text)
        return ".".join(found)


def is_number(text: str) -> bool:
    """True of a number as a copy has it: decimal, without zeros in front."""
    plain = text.isascii() and text.isdecimal() and len(text) <= 9
    return plain and (text == "0" or text[0] != "0")


def _part(text: str, whole: str, unnamed: Iterator[int]) -> Part:
    if text == REST:
        return Part("", REST)
    cuts = text.count("*") if "{" not in text else 0
    if cuts == 1:
        before, _, after = text.partition("*")
        return Part(before, f"*{next(unnamed)}", after)
    before, opening, rest = text.partition("{")
    inner, closing, after = rest.partition("}")
    if not opening and not cuts and "}" not in text and text:
        return Part(text)
    found = _HOLE.fullmatch(inner)
    if not closing or found is None or any(c in before + after for c in "{}*"):
        wanted = "text, one hole such as {i}, {i+1}, {2*i}, or * in each part"
        _refuse(whole, f"expected {wanted}, or ** for several parts")
    times, plus = int(found["times"] or 1), int(found["plus"] or 0)
    return Part(before, found["name"], after, times, plus)


def _refuse(text: object, expected: str) -> NoReturn:
    message = f"{expected}, found {quote(text)}"
    raise SpecError(Diagnostic("mapping-rule", "", message))


class Index:
    """Patterns by number: those that match a name are found without trying all.

    A tree of parts; a name visits each node at most once.
    """

    def __init__(self, patterns: Iterable[tuple[int, Pattern]]) -> None:
        self._root = _Node()
        for number, pattern in patterns:
            node = self._root
            for part in pattern.parts:
                if part.hole == REST:
                    node.rests.append((number, pattern))
                    break
                if part.hole is None:
                    node = node.texts.setdefault(part.before, _Node())
                else:
                    node = node.holes.setdefault(part, _Node())
            else:
                node.ends.append((number, pattern))

    def matches(self, name: str) -> list[tuple[int, Pattern, dict[str, str]]]:
        """(number, pattern, what its holes stand for) in the order of the numbers."""
        found: list[tuple[int, Pattern]] = []
        nodes = [self._root]
        for text in name.split("."):
            found += [rest for node in nodes for rest in node.rests]
            nodes = [child for node in nodes for child in node.children(text)]
        found += [end for node in nodes for end in node.ends]
        found.sort(key=lambda pair: pair[0])
        matched = ((number, p, p.match(name)) for number, p in found)
        return [
            (number, p, values) for number, p, values in matched if values is not None
        ]


@dataclass(slots=True)
class _Node:
    texts: dict[str, _Node] = field(default_factory=dict)
    holes: dict[Part, _Node] = field(default_factory=dict)
    rests: list[tuple[int, Pattern]] = field(default_factory=list)
    ends: list[tuple[int, Pattern]] = field(default_factory=list)

    def children(self, text: str) -> Iterator[_Node]:
        if text in self.texts:
            yield self.texts[text]
        for part, node in self.holes.items():
            if part.match(text) is not None:
                yield node
