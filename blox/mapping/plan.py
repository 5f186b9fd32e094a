"""Rules held against the leaves of a Graph: which slice of which array becomes which.

Nothing is read for it. Every leaf of ours has a source, is `New`, or is a fault; every array
of theirs is used, is `Ignored`, or is a fault.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from math import prod
from typing import Any, NamedTuple

from blox.schema import Leaf
from blox.schema.diagnostics import Diagnostic, SpecError, quote
from blox.weights.comparing import Described as Described

from .moves import Move, Plan, Slice
from .patterns import Index, Pattern, is_number
from .rules import MAX_RULES, AnyRule, Ignored, New, Rule
from .spec import Layout, Spec, Unfit
from .units import MAX_UNITS, Unit, all_units, whole

_MAX_WORK = 2_000_000
"""Names that are tried and found: rules are anyone's, and all may fit all names."""


class _Choice(NamedTuple):
    """A rule that fits a unit, with what its holes stand for; `units` are all of ours."""

    rule: Rule | New
    values: dict[str, str]
    units: list[Unit]


def make_plan(
    leaves: Mapping[str, Leaf],
    rules: Iterable[AnyRule],
    there: Iterable[str] | None = None,
) -> Plan:
    """Which slices of theirs become which of ours.

    Args:
        leaves: of a sound Graph, by path.
        rules: the first that fits a name, and whose arrays are there, is taken; where none
            are there, the first that fits.
        there: the names of theirs; None takes the first rule that fits, as for the way back.

    Raises:
        SpecError: no rules, or too many. ModelError: too many copies.
    """
    return _Planner(leaves, _checked(rules), None if there is None else set(there)).plan


def _checked(rules: Iterable[AnyRule]) -> list[AnyRule]:
    found: list[Any] = [rules] if isinstance(rules, (Rule, Ignored)) else [*rules]
    wrong = [rule for rule in found if not isinstance(rule, (Rule, Ignored))]
    if wrong or len(found) > MAX_RULES:
        wanted = "rules such as bx.Rule" if wrong else f"at most {MAX_RULES} rules"
        what = quote(wrong[0]) if wrong else str(len(found))
        message = f"expected {wanted}, found {what}"
        raise SpecError(Diagnostic("mapping-rule", "", message))
    return found


class _Planner:
    def __init__(
        self, leaves: Mapping[str, Leaf], rules: list[AnyRule], there: set[str] | None
    ) -> None:
        ignored = (rule for rule in rules if isinstance(rule, Ignored))
        self.plan = Plan(
            leaves,
            ignored=tuple(
                p
                for rule in ignored
                if not isinstance(rule, New)
                for p in rule.patterns
            ),
        )
        self.there = there
        self.rules = [rule for rule in rules if isinstance(rule, (Rule, New))]
        self.index = Index(
            (number, pattern)
            for number, rule in enumerate(self.rules)
            for pattern in (
                rule.our_patterns if isinstance(rule, Rule) else rule.patterns
            )
        )
        self.units = all_units(leaves)
        self.named = {
            unit.name: unit for units in self.units.values() for unit in units
        }
        self.wholes = {path: whole(path, leaf) for path, leaf in leaves.items()}
        self.covered: set[str] = set()
        self.leads: dict[str, list[int]] = {}
        self.left = _MAX_WORK
        self.specs: dict[tuple[tuple[Layout, ...], tuple[Spec, ...]], list[Spec]] = {}
        for path in leaves:
            self._decide(path)
        for name, lead in self.leads.items():
            shape, dtype = self.plan.expected[name]
            self.plan.expected[name] = Spec((*lead, *shape), dtype)

    def _decide(self, path: str) -> None:
        """Adds the moves for a leaf: those for each copy, else those for all in one."""
        stacked = bool(self.plan.leaves[path].stack)
        copies = [unit for unit in self.units[path] if unit.name not in self.covered]
        if not copies or path in self.covered:
            return
        choices = [self._choices(unit, self.named) for unit in copies]
        found = [next(filter(self._is_there, some), None) for some in choices]
        if None in found and stacked:
            all_in_one = self._choices(self.wholes[path], self.wholes)
            there = next(filter(self._is_there, all_in_one), None)
            if there is None and not any(choices):
                there = next(iter(all_in_one), None)
            if there is not None:
                self._take(there)
                return
        for unit, some, choice in zip(copies, choices, found, strict=True):
            choice = choice or next(iter(some), None)
            if choice is not None and unit.name not in self.covered:
                self._take(choice)
            elif choice is None:
                self.plan.faults.append(_without_rule(unit))

    def _choices(self, unit: Unit, table: Mapping[str, Unit]) -> list[_Choice]:
        found: list[_Choice] = []
        for number, _, values in self.index.matches(unit.name):
            rule = self.rules[number]
            if isinstance(rule, New):
                found.append(_Choice(rule, values, [unit]))
            elif rule.allows(values):
                self._spend(len(rule.ours))
                names = [pattern.fill(values) for pattern in rule.our_patterns]
                units = [table[n] for n in names if n is not None and n in table]
                if len(units) == len(names) and self._free(units):
                    found.append(_Choice(rule, values, units))
        return found

    def _free(self, units: Sequence[Unit]) -> bool:
        return not any(unit.name in self.covered for unit in units)

    def _spend(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            message = (
                "expected rules that fit a few names each, found that most fit most"
            )
            raise SpecError(Diagnostic("mapping-rule", "", message))

    def _is_there(self, choice: _Choice) -> bool:
        if self.there is None or isinstance(choice.rule, New):
            return True
        names = (
            source.name for _, sources in self._slices(choice) for source in sources
        )
        return all(name in self.there for name in names)

    def _slices(
        self, choice: _Choice
    ) -> Iterator[tuple[tuple[int, ...], tuple[Slice, ...]]]:
        """(place behind that of the units, slices of theirs) of each move of a choice."""
        rule = choice.rule
        assert isinstance(rule, Rule)
        sizes = choice.units[0].spec.shape[: len(rule.counted)]
        if len(sizes) < len(rule.counted) or prod(sizes) > MAX_UNITS:
            return
        for numbers in product(*map(range, sizes)):
            counted = dict(zip(rule.counted, map(str, numbers), strict=True))
            values = choice.values | counted
            self._spend(len(rule.theirs))
            sources = [_source(rule, p, values) for p in rule.their_patterns]
            if None not in sources:
                yield numbers, tuple(source for source in sources if source is not None)

    def _take(self, choice: _Choice) -> None:
        self.covered.update(unit.name for unit in choice.units)
        rule = choice.rule
        if isinstance(rule, New):
            self.plan.new[choice.units[0].name] = choice.units[0].path
            return
        made = list(self._slices(choice))
        depth = len(rule.counted)
        inner = tuple(
            Spec(unit.spec.shape[depth:], unit.spec.dtype) for unit in choice.units
        )
        sizes = {unit.spec.shape[:depth] for unit in choice.units}
        try:
            if len(sizes) > 1 or (not made and 0 not in min(sizes)):
                raise Unfit(_misfit(rule))
            specs = self._theirs(rule, inner)
        except Unfit as error:
            self._refuse(choice, str(error))
            return
        names = tuple(unit.name for unit in choice.units)
        for numbers, sources in made:
            targets = tuple(Slice(u.path, (*u.at, *numbers)) for u in choice.units)
            self.plan.moves.append(Move(targets, sources, rule.layouts, names))
            for source, spec in zip(sources, specs, strict=True):
                self._expect(choice, source, spec)

    def _theirs(self, rule: Rule, ours: tuple[Spec, ...]) -> list[Spec]:
        """What theirs have to be, for arrays of ours."""
        found = self.specs.get((rule.layouts, ours))
        if found is None:
            found = list(ours)
            for layout in reversed(rule.layouts):
                found = layout.unshapes(found)
            self.specs[rule.layouts, ours] = found
        if len(found) != len(rule.theirs):
            raise Unfit(
                f"expected {len(found)} arrays of theirs, found {len(rule.theirs)}"
            )
        return found

    def _expect(self, choice: _Choice, source: Slice, spec: Spec) -> None:
        known = self.plan.expected.setdefault(source.name, spec)
        self.plan.becomes.setdefault(source.name, choice.units[0].name)
        if source.at:
            lead = self.leads.setdefault(source.name, [0] * len(source.at))
            lead[:] = [max(a, b + 1) for a, b in zip(lead, source.at, strict=True)]
        if known != spec:
            whose = self.plan.becomes[source.name]
            wanted = (
                f"expected {quote(source.name)} to be {list(known.shape)} for {whose}"
            )
            self._refuse(
                choice, f"{wanted}, found a rule that takes {list(spec.shape)}"
            )

    def _refuse(self, choice: _Choice, message: str) -> None:
        name, rule = choice.units[0].name, quote(choice.rule, 200)
        self.plan.faults.append(
            Diagnostic("weights-shape", name, message, f"by {rule}")
        )


def _source(rule: Rule, pattern: Pattern, values: Mapping[str, str]) -> Slice | None:
    """The array of theirs, and which slice where it has copies that ours are numbered by."""
    name = pattern.fill(values)
    alone = [hole for hole in rule.our_patterns[0].holes if hole not in pattern.holes]
    if name is None or not all(is_number(values[hole]) for hole in alone):
        return None
    return Slice(name, tuple(int(values[hole]) for hole in alone))


def _misfit(rule: Rule) -> str:
    if rule.counted:
        return f"expected an axis for each number {', '.join(rule.counted)} of theirs"
    return "expected numbers for what ours have and theirs lack"


def _without_rule(unit: Unit) -> Diagnostic:
    message = (
        f"expected a rule for {unit.spec.dtype}{list(unit.spec.shape)}, found none"
    )
    return Diagnostic("weights-missing", unit.name, message)
