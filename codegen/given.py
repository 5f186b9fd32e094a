"""What calls give to the inputs of functions: arrays, or numbers, of which kind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..schema.fields import is_expression
from ..schema.resolve.program import Arg, Instance, Step
from ..schema.undecided import kind_of

Kinds = dict[str, set[str]]
"""By input or node: `Array`, `int`, `float`, `bool`, and `Any` of what may be several."""


@dataclass
class Given:
    """By function: what its inputs are, here or there."""

    numbers: dict[str, set[str]] = field(default_factory=dict)
    """Those that a call gives a number."""
    kinds: dict[str, Kinds] = field(default_factory=dict)
    """What calls give, a number that the caller was given among it."""

    @classmethod
    def of(cls, groups: Mapping[str, list[Instance]], entries: Iterable[str]) -> Given:
        """That of the calls within a model; users give arrays."""
        found = cls()
        for name in entries:
            inputs = groups[name][0].function.inputs
            found.kinds[name] = {n: {"Array"} for n in inputs}
        for name in reversed([*groups]):  # callers first
            for instance in groups[name]:
                given = found.kinds.get(name, {})
                values = {n: set(k) for n, k in given.items() if k - {"Array"}}
                for step in instance.live_steps:
                    found._add(instance, step, values)
        return found

    def passed(self, function: str) -> frozenset[str]:
        """The inputs that may be numbers."""
        kinds = self.kinds.get(function, {})
        return frozenset(n for n, found in kinds.items() if found - {"Array"})

    def _add(self, caller: Instance, step: Step, values: Kinds) -> None:
        """Adds a step to the numbers among `values`, and to those that callees get."""
        given = [a for a in step.arguments() if a.source is not None]
        numbers = [a.source in values for a in given]
        if not step.callees:
            if given and not step.tree and all(numbers):
                values[step.name] = {"Any"}
            return
        if any(numbers):
            values[step.name] = {"Any"}
        for called in step.callees:
            inputs = dict(step.group("inputs"))
            kinds = self.kinds.setdefault(called.declared.function, {})
            direct = self.numbers.setdefault(called.declared.function, set())
            unrolled = called.declared.unrolled
            index = {called.declared.index} if called.declared.index else set[str]()
            if unrolled:
                inputs |= step.group("xs")
                direct |= index
            arrays = {*step.group("carry"), *({} if unrolled else step.group("xs"))}
            for n in {*arrays, *index}:
                kind = "int" if n in index and unrolled else "Array"
                kinds.setdefault(n, set()).add(kind)
            direct |= {n for n, a in inputs.items() if a.source is None}
            for n, arg in inputs.items():
                known = values.get(arg.source, {"Array"}) if arg.source else set()
                literal = _kinds(caller, arg) if arg.source is None else ()
                kinds.setdefault(n, set()).update(known, literal)


def _kinds(caller: Instance, arg: Arg) -> Iterator[str]:
    """The kinds of a number, or of the numbers of a list with one for each copy."""
    parts: Any = arg.value if isinstance(arg.value, tuple) else (arg.value,)
    for part in parts:
        if is_expression(part):
            yield kind_of(part, caller.values)
        else:
            yield type(part).__name__


def returned_numbers(
    instance: Instance,
    inputs: Iterable[str],
    inner: Mapping[str, frozenset[str]],
    *,
    is_entry: bool,
) -> frozenset[str]:
    """The outputs that may be Python numbers, as some inputs are.

    `inner` are those of the functions that it calls.
    """
    found: set[tuple[str | None, int]] = {(n, 0) for n in inputs}
    # Users too may give numbers, which are returned as they are.
    given = {*instance.function.inputs} if is_entry else set[str]()
    for step in instance.live_steps:
        if step.callees:
            called = frozenset[str]().union(*(inner[i.name] for i in step.instances))
            found |= {(step.name, i) for i, o in enumerate(step.outputs) if o in called}
        elif not step.tree:
            args = [a for a in step.arguments() if a.source is not None]
            if args and all((a.source, a.output) in found for a in args):
                found |= {(step.name, i) for i in range(len(step.outputs))}
    return frozenset(
        name
        for name, arg in instance.outputs.items()
        if name not in instance.output_copies
        and (arg.source in given or (arg.source, arg.output) in found)
    )
