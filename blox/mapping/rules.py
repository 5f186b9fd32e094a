"""Rules: which arrays of theirs are which of ours. Data, as Python and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, NoReturn, TypeAlias

from blox.schema.diagnostics import BloxError, Diagnostic, SpecError, quote
from blox.schema.parse.reader import read_plain

from .layouts import ALL, Rearrange
from .patterns import Pattern, is_number
from .spec import Layout

MAX_RULES = 100_000
_MAX_NAMES = 4096
_MAX_BYTES = 64 << 20

Names: TypeAlias = str | tuple[str, ...]


@dataclass(frozen=True, init=False, repr=False)
class Rule:
    """Arrays of theirs that become arrays of ours, by patterns of their names.

        Rule("layers.{i}.up.kernel", "h.{i}.fc1.weight", Kernel())

    Our copies are numbered in names (`layers.0.up.kernel`), however Params have them. A hole
    on both sides stands for the same text. One of theirs alone counts arrays that lie
    stacked on the first axis of ours (experts), one of ours alone those that lie stacked on
    the first axis of theirs. The first rule that fits a name and whose arrays are there is
    taken.

    Args:
        ours: a pattern of paths, or several.
        theirs: a pattern of names, or several.
        layouts: from theirs to ours, one after the other; without any, as it is.
        when: values that holes may have, by their names: `{"i": (0, 3)}`.

    Raises:
        SpecError: patterns, layouts or conditions that are none.
    """

    ours: tuple[str, ...]
    theirs: tuple[str, ...]
    layouts: tuple[Layout, ...]
    when: tuple[tuple[str, tuple[str, ...]], ...] = ()
    our_patterns: tuple[Pattern, ...] = field(default=(), compare=False)
    their_patterns: tuple[Pattern, ...] = field(default=(), compare=False)

    def __init__(
        self,
        ours: Names | Sequence[str],
        theirs: Names | Sequence[str],
        *layouts: Layout,
        when: Mapping[str, Iterable[int | str]] | None = None,
    ) -> None:
        for layout in layouts:
            if not isinstance(layout, Layout):
                _refuse(f"expected layouts such as Kernel(), found {quote(layout)}")
        set_ = object.__setattr__
        set_(self, "ours", _names(ours))
        set_(self, "theirs", _names(theirs))
        set_(self, "layouts", tuple(layouts))
        set_(self, "when", _conditions(when or {}))
        set_(self, "our_patterns", tuple(map(Pattern, self.ours)))
        set_(self, "their_patterns", tuple(map(Pattern, self.theirs)))
        if not self.ours:
            _refuse("expected a name of ours, found none; see Ignored")
        holes = {frozenset(pattern.holes) for pattern in self.our_patterns}
        if len(holes) > 1:
            _refuse(f"expected the same holes in all of {quote(self.ours)}")
        unknown = {name for name, _ in self.when} - self.holes
        if unknown:
            _refuse(
                f"expected conditions on holes of ours, found {quote(min(unknown))}"
            )

    def __repr__(self) -> str:
        parts = [_shown(self.ours), _shown(self.theirs), *map(repr, self.layouts)]
        if self.when:
            parts.append(f"when={_plain_conditions(self.when)!r}")
        return f"bx.Rule({', '.join(parts)})"

    @property
    def holes(self) -> frozenset[str]:
        """The holes of ours."""
        return frozenset(self.our_patterns[0].holes)

    @property
    def counted(self) -> tuple[str, ...]:
        """The holes of theirs alone: what they count is stacked in ours."""
        found = dict.fromkeys(hole for p in self.their_patterns for hole in p.holes)
        return tuple(hole for hole in found if hole not in self.holes)

    def allows(self, values: Mapping[str, str]) -> bool:
        """True where the conditions hold."""
        return all(values[name] in allowed for name, allowed in self.when)


@dataclass(frozen=True, init=False, repr=False)
class Ignored:
    """Arrays of theirs that have no counterpart: `Ignored("**.position_ids")`."""

    names: tuple[str, ...]
    patterns: tuple[Pattern, ...] = field(default=(), compare=False)

    def __init__(self, *names: str) -> None:
        object.__setattr__(self, "names", _names(names))
        object.__setattr__(self, "patterns", tuple(map(Pattern, names)))

    def __repr__(self) -> str:
        return f"bx.{type(self).__name__}({', '.join(map(repr, self.names))})"


class New(Ignored):
    """Arrays of ours that none of theirs become: `New("head.**")`.

    They are left out; `bx.init(graph, key, given=params)` makes them.
    """


AnyRule: TypeAlias = Rule | Ignored
"""One row of a table: a `Rule`, what is `Ignored`, what is `New`."""


def to_json(rules: Iterable[AnyRule]) -> str:
    """Rules as text: a JSON list, an object for each."""
    return json.dumps(to_plain(rules), indent=1, allow_nan=False)


def to_plain(rules: Iterable[AnyRule]) -> list[dict[str, Any]]:
    """Rules as plain data, an object for each."""
    return [_plain(rule) for rule in rules]


def from_json(text: str | bytes) -> list[AnyRule]:
    """The rules of `to_json`; an untrusted text is fine.

    Raises:
        SpecError: no such text; names the first rule that is not sound.
    """
    return from_plain(read_plain(text if isinstance(text, bytes) else text.encode()))


def from_plain(data: Any, where: str = "") -> list[AnyRule]:
    """The rules of `to_plain`, from data that `read_plain` has bounded.

    Args:
        where: the path of that data.

    Raises:
        SpecError: no such list; names the first rule that is not sound.
    """
    if not isinstance(data, list) or len(data) > MAX_RULES:
        _refuse(f"expected a list of at most {MAX_RULES} rules, found {quote(data)}")
    rules: list[AnyRule] = []
    for number, row in enumerate(data):
        try:
            rules.append(_rule(row))
        except BloxError as error:
            (first, *_) = error.diagnostics
            path = f"{where}[{number}]{'.' if first.path else ''}{first.path}"
            raise SpecError(Diagnostic(first.code, path, first.message)) from None
    return rules


def _plain(rule: AnyRule) -> dict[str, Any]:
    if not isinstance(rule, Rule):
        return {type(rule).__name__.lower(): list(rule.names)}
    found: dict[str, Any] = {"ours": _short(rule.ours), "theirs": _short(rule.theirs)}
    if rule.layouts:
        found["layouts"] = [_plain_layout(layout) for layout in rule.layouts]
    if rule.when:
        found["when"] = {k: list(v) for k, v in _plain_conditions(rule.when).items()}
    return found


def _plain_layout(layout: Layout) -> dict[str, Any]:
    found: dict[str, Any] = {"name": type(layout).__name__}
    for row in fields(layout):
        value = getattr(layout, row.name)
        if value != row.default:
            found[row.name] = dict(value) if row.name == "sizes" else value
    return found


def _rule(row: Any) -> AnyRule:
    for cls in (Ignored, New):
        key = cls.__name__.lower()
        if isinstance(row, dict) and [*row] == [key]:
            return cls(*_names(row[key]))
    if not isinstance(row, dict) or not {"ours", "theirs"} <= row.keys():
        _refuse(f"expected an object with ours and theirs, found {quote(row)}")
    unknown = row.keys() - {"ours", "theirs", "layouts", "when"}
    layouts, when = row.get("layouts", []), row.get("when", {})
    if unknown or not isinstance(layouts, list) or not isinstance(when, dict):
        _refuse(f"expected ours, theirs, layouts, when, found {quote(row)}")
    return Rule(
        row["ours"], row["theirs"], *[_layout(data) for data in layouts], when=when
    )


def _layout(data: Any) -> Layout:
    name = data.get("name") if isinstance(data, dict) else None
    if not isinstance(name, str) or name not in ALL:
        _refuse(f"expected the name of a layout, found {quote(data)}")
    given: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in data.items()
    }
    del given["name"]
    cls = ALL[name]
    if cls is Rearrange:
        sizes = given.pop("sizes", {})
        given |= sizes if isinstance(sizes, dict) else {}
    elif unknown := given.keys() - {row.name for row in fields(cls)}:
        _refuse(f"expected fields of {name}, found {quote(min(unknown))}")
    try:
        return cls(**given)
    except TypeError:
        _refuse(f"expected the fields of {name}, found {quote(data)}")


def _names(given: Any) -> tuple[str, ...]:
    names = (given,) if isinstance(given, str) else given
    if not isinstance(names, (list, tuple)) or len(names) > _MAX_NAMES:
        _refuse(f"expected a pattern of names, or several, found {quote(given)}")
    return tuple(names)


def _conditions(given: Any) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if not isinstance(given, Mapping):
        _refuse(f"expected when= to be a dict, found {quote(given)}")
    found = []
    for name, values in given.items():
        if not isinstance(name, str) or isinstance(values, (str, Mapping)):
            _refuse(f"expected lists of values by hole, found {quote(given)}")
        allowed = list(values) if isinstance(values, Iterable) else [None]
        if not all(type(value) in (int, str) for value in allowed):
            _refuse(f"expected numbers or texts for {name!r}, found {quote(values)}")
        found.append((name, tuple(map(str, allowed))))
    return tuple(found)


def _plain_conditions(
    when: tuple[tuple[str, tuple[str, ...]], ...],
) -> dict[str, tuple[int | str, ...]]:
    return {
        name: tuple(int(v) if is_number(v) else v for v in values)
        for name, values in when
    }


def _short(names: tuple[str, ...]) -> str | list[str]:
    return names[0] if len(names) == 1 else list(names)


def _shown(names: tuple[str, ...]) -> str:
    return repr(names[0] if len(names) == 1 else names)


def _refuse(message: str) -> NoReturn:
    raise SpecError(Diagnostic("mapping-rule", "", message))
