"""Regions as closed functions: what flows into and out of each, and where arrays lie."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from .carriers import carriers
from .naming import argument_name
from .regions import above_numbers, common, free, fresh, is_under, made, params_in, used
from .trace import Param, Path, Region, Step, Value

COPYING = ("repeat", "map")
"""Ops whose functions keep arrays for each copy."""
BRANCHES = ("cond", "switch", "while_loop")
"""Ops whose functions keep their arrays each at a path of its own."""


@dataclass(frozen=True, slots=True)
class Inside:
    """Where a function lies.

    Args:
        scope: the path of its arrays in the source.
        depth: how many stacks of copies it is in.
        foreign: arrays below the scope that flow in.
    """

    scope: Path = ()
    depth: int = 0
    foreign: frozenset[Path] = frozenset()

    def has(self, value: Value) -> bool:
        """True for an array that the function keeps, or a stack of copies in it."""
        if not isinstance(value, Param) or value.stacked != self.depth:
            return isinstance(value, Param) and value.stacked > self.depth
        own = is_under(value.path, self.scope) and value.path != self.scope
        return own and value.path not in self.foreign


def close(region: Region, outputs: dict[str, Value] | None = None) -> None:
    """Finds what flows into and out of each region in this one, and where each lies.

    Args:
        region: the whole model, whose own scope and inputs are known.
        outputs: what it gives, by name.
    """
    if outputs is not None:
        region.outputs = outputs
    totals = Counter(p.path for p in params_in(region))
    _Closing(totals).close(region, Inside(region.scope or ()))


@dataclass(frozen=True, slots=True)
class _Closing:
    """Closes all regions of a model.

    Args:
        totals: how often each array is used, by path.
    """

    totals: Counter[Path]

    def close(self, region: Region, inside: Inside) -> None:
        self._give(region)
        before: list[Value] = [*region.inputs]
        for item in region.items:
            if isinstance(item, Region):
                own = _scoped(item, inside, given_to(item))
                _take(item, free(item), own, before)
                self.close(item, own)
            else:
                self._step(item, inside, before)
            before += made(item)

    def _give(self, region: Region) -> None:
        """The outputs of the regions in one: what is used behind them."""
        after = set(region.outputs.values())
        for item in reversed(region.items):
            if isinstance(item, Region):
                own = list(dict.fromkeys(made(item)))
                given = [v for v in own if v in after]
                item.outputs = _named_outputs(given or own[-1:])  # it may only assign
            after |= set(used(item))

    def _step(self, step: Step, inside: Inside, before: Sequence[Value]) -> None:
        """The functions that a step runs."""
        names: dict[Value, str] = {}
        taken = [n for body in step.functions.values() for n in body.inputs.values()]
        for body in step.functions.values():
            own = self._kept(step, body, inside)
            given = dict(body.inputs)
            shared = {v: n for v, n in names.items() if v not in given}
            _take(body, free(body), own, before, {**given, **shared}, taken)
            names |= {v: n for v, n in body.inputs.items() if v not in given}
            self.close(body, own)
        if step.op in ("cond", "switch"):
            for body in step.functions.values():
                body.inputs = dict(names)
        if names:
            inputs = {n: v for v, n in names.items()}
            step.operands["inputs"] = step.operands.get("inputs", {}) | inputs

    def _kept(self, step: Step, body: Region, inside: Inside) -> Inside:
        """What a body keeps itself."""
        if body.copies or step.attributes.get("shared"):
            return Inside(body.scope or (), inside.depth, inside.foreign)
        depth = inside.depth
        if step.op in COPYING:
            depth += 1
        every = [p for p in params_in(body) if p.stacked == depth]
        if step.op == "scan":
            own = _scoped(body, inside)
            step.scope = own.scope if any(map(own.has, every)) else None
            return own
        outer = inside.scope if depth == inside.depth else ()
        here = Counter(p.path for p in params_in(body))
        foreign = set(inside.foreign)
        if step.op in BRANCHES:
            foreign |= {p for p, count in here.items() if count != self.totals[p]}
        kept = [
            p.path for p in every if is_under(p.path, outer) and p.path not in foreign
        ]
        body.scope = above_numbers(common(kept), kept) if kept else outer
        step.scope = None
        if depth > inside.depth:
            several = "members" if step.op == "map" else "layers"
            step.hint = step.hint or "_".join(map(str, body.scope[-1:])) or several
            if self._is_alone(body.scope, set(kept), inside):
                step.scope = body.scope
        return Inside(body.scope, depth, frozenset(foreign))

    def _is_alone(self, scope: Path, kept: set[Path], inside: Inside) -> bool:
        """True of a path below which nothing but these arrays lies."""
        below = {p for p in self.totals if is_under(p, scope)}
        own = scope != inside.scope and is_under(scope, inside.scope)
        return own and below <= kept


def _scoped(
    region: Region, inside: Inside, given: frozenset[Path] = frozenset()
) -> Inside:
    """A region at the path of its module, or of its arrays.

    Args:
        given: arrays that flow in.
    """
    outer, foreign = inside.scope, inside.foreign | given
    own = region.scope
    if own is None or not is_under(own, outer):
        paths = list(_places(region, Inside(outer, inside.depth, foreign)))
        own = common(paths) if paths else outer
        region.scope = own if is_under(own, outer) else outer
    return Inside(region.scope or (), inside.depth, foreign)


def _places(region: Region, inside: Inside) -> Iterator[Path]:
    """Where arrays of a region lie, those aside that it is given."""
    for item in region.items:
        if isinstance(item, Region):
            given = inside.foreign | given_to(item)
            yield from _places(item, Inside(inside.scope, inside.depth, given))
        elif item.functions and item.scope is not None:
            if is_under(item.scope, inside.scope):
                yield (*item.scope, "")
        else:
            yield from (p.path for p in params_in(item) if inside.has(p))


def given_to(region: Region) -> frozenset[Path]:
    """The arrays of the source that a function is given, and uses as they are."""
    given = {v.path for v in region.arguments.values() if isinstance(v, Param)}
    return frozenset(given - {p.path for p in params_in(region) if p.moves})


def _named_outputs(values: Sequence[Value]) -> dict[str, Value]:
    if len(values) == 1:
        return {"out": values[0]}
    names: dict[str, Value] = {}
    for place, value in enumerate(values):
        names[fresh(names, value.hint or f"out_{place}")] = value
    return names


def _take(
    region: Region,
    values: Iterable[Value],
    own: Inside,
    before: Sequence[Value],
    named: dict[Value, str] | None = None,
    taken: Iterable[str] = (),
) -> None:
    """The values that flow in, those among them that only a size is taken of.

    Args:
        before: the values of the caller.
        named: names of inputs that are settled.
        taken: names that no input may get.
    """
    flowing: dict[Value, None] = dict.fromkeys(region.inputs)
    for value in values:
        if not own.has(value):
            base = value.base if isinstance(value, Param) else None
            flowing[base or value] = None
    flowing |= dict.fromkeys(carriers(region, flowing, before))
    _name(region, list(flowing), named or {}, taken)


def name_inputs(region: Region, own: set[Value], first: Sequence[Value] = ()) -> None:
    """Names the values that flow into a function that is no part of a model yet.

    Args:
        own: the values that it makes.
        first: those that go before all others.
    """
    scope = region.scope or ()
    given = frozenset() if region.copies else given_to(region)
    flowing: dict[Value, None] = {}
    for value in used(region):
        if isinstance(value, Param):
            if value.path not in given and is_under(value.path, scope):
                continue
            value = value.base or value
        if value not in own:
            flowing[value] = None
    ahead = [v for v in first if v in flowing]
    _name(region, list(dict.fromkeys([*ahead, *flowing])), {}, (), ahead)


def _name(
    region: Region,
    flowing: Sequence[Value],
    named: Mapping[Value, str],
    taken: Iterable[str],
    first: Sequence[Value] = (),
) -> None:
    """Names what flows in: arguments first, in their order, then what it closes over."""
    said = {v: n for n, v in reversed(region.arguments.items()) if v in flowing}
    order = [v for v in region.arguments.values() if v in said]
    region.inputs = {}
    names = {*named.values(), *taken}
    for value in dict.fromkeys([*first, *order, *flowing]):
        if value in named:
            region.inputs[value] = named[value]
            continue
        hint = said.get(value) or value.hint
        if not hint and isinstance(value, Param):
            hint = str(value.path[-1])
        lone = "x" if len(flowing) == 1 else f"x_{len(region.inputs)}"
        name = fresh(names, argument_name(hint or lone))
        names.add(name)
        region.inputs[value] = name
