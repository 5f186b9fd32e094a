"""Consecutive copies as one `repeat`: runs of parts that do the same with arrays of their
own, each of which takes what the one before it gave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from .chains import run_of
from .copies import Run
from .matching import Part, Shapes
from .regions import everything
from .relocated import every_part
from .series import Outside, slices_first
from .trace import Param, Path, Region, Step, Value

LONGEST = 160
"""The parts of one copy at most: runs are found in time that grows with it."""
TRIES = 6
"""How often one run is tried with fewer copies."""
ENOUGH = 4
"""Steps of a copy that is worth a function where there are but two."""


def outline(root: Region) -> None:
    """Runs of equal copies in a region, and in all that are in it, become `repeat` steps."""
    uses = Counter(map(use_of, everything(root)))
    uses.update(map(use_of, root.outputs.values()))
    _outline(root, (), uses, Shapes())


def use_of(value: Value) -> Value | Path:
    """A value, or the path of an array of the source."""
    return value.path if isinstance(value, Param) else value


def _outline(
    region: Region, outer: Path, uses: Counter[Value | Path], shapes: Shapes
) -> None:
    scope = outer if region.scope is None else region.scope
    for item in region.items:
        if isinstance(item, Region):
            _outline(item, scope, uses, shapes)
        else:
            for body in item.functions.values():
                _outline(body, scope, uses, shapes)
    taken: set[Path] = set()
    region.items = slices_first(region.items)
    while (run := _longest(region.items, scope, uses, shapes)) is not None:
        gone = [*region.items[run.start : run.end], *run.stacks.values()]
        uses.subtract(use_of(v) for part in gone for v in everything(part))
        steps = run.steps(scope, taken)
        uses.update(use_of(v) for step in steps for v in everything(step))
        region.items[run.start : run.end] = steps
        region.items = [i for i in region.items if i not in run.stacks.values()]


def _longest(
    items: Sequence[Part],
    scope: Path,
    uses: Counter[Value | Path],
    shapes: Shapes,
) -> Run | None:
    """The run that says most in one line."""
    outside = Outside.of(items)
    for start, period, length in _periodic([shapes.of(item) for item in items]):
        found: list[Run] = []
        for phase in range(min(period, length - 2 * period + 1)):
            count: int = (length - phase) // period
            for _ in range(TRIES):
                if count < 2:
                    break
                parts = items[start + phase : start + phase + count * period]
                run = run_of(parts, start + phase, period, scope, uses, outside)
                if isinstance(run, Run):
                    found += [run] if _is_worth_it(run) else []
                    break
                count = run
        if found:
            return max(found, key=lambda run: (run.count, -len(run.carries)))
    return None


def _periodic(numbers: Sequence[int]) -> list[tuple[int, int, int]]:
    """Start, period and length of all stretches that repeat, those that cover most first."""
    found = []
    for period in range(1, min(LONGEST, len(numbers) // 2) + 1):
        since = 0
        for place in range(len(numbers) - period + 1):
            end = place + period
            if end < len(numbers) and numbers[place] == numbers[end]:
                continue
            if place - since >= period:
                found.append((since, period, end - since))
            since = place + 1
    return sorted(found, key=lambda run: (-run[2], run[1], run[0]))


def _is_worth_it(run: Run) -> bool:
    """False for what reads better as it stands."""
    steps = [p for p in every_part(run.template) if isinstance(p, Step)]
    return run.count > 2 or len(steps) >= ENOUGH
