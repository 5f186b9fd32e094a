"""What a call gives to a Python function: values that flow, and everything else."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast

from blox.schema.diagnostics import quote
from blox.schema.names import RESERVED, is_name, name_of
from blox.shapes.values import Value as Known
from blox.shapes.values import Values

from .literals import is_literal, number_of
from .python_function import check_function, shown, signature_of
from .sizes import Dim
from .trace import Trace
from .values import Value, like, parts_of

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Each:
    """A value for each copy of a `repeat`."""

    items: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Slices:
    """The slices of a value, one for each step; of a list its arrays."""

    value: Value

    @property
    def of_list(self) -> bool:
        return self.value.kind == "list"


@dataclass(frozen=True, slots=True)
class Index:
    """The number of the copy or step."""


def each(items: Sequence[T]) -> T:
    """An argument of a `repeat` that is another one for each copy, in turn.

    f.repeat("stages", stage, count=3, scan=False)(x, width=bx.each([64, 128, 256]))
    """
    return cast(T, Each(tuple(items)))


def slices(x: Value) -> Value:
    """An argument of a loop or `map` that is one slice of x at a time, of a list one array.

    f.scan("cell", cell, axis=1)(h, bx.slices(x))
    """
    return cast(Value, Slices(x))


def index() -> Value:
    """An argument of a loop that is the number of the copy or step."""
    return cast(Value, Index())


@dataclass(frozen=True, slots=True)
class Bound:
    """The arguments of one function.

    Args:
        flows: what flows in, by input name: a Value, a number, Slices, Index, or Each.
        arguments: by parameter, with a `Flow` in place of what flows.
        absent: the parameters with the default None that are left out.
    """

    function: Callable[..., Any]
    flows: dict[str, Any]
    arguments: dict[str, Any]
    keyword_only: frozenset[str]
    absent: frozenset[str]

    def numbers(self) -> list[str]:
        """The arguments by position that are literals: a loop may start from them."""
        return [
            n
            for n, v in self.arguments.items()
            if n not in self.keyword_only and is_literal(v)
        ]

    def flowing(self, numbers: Sequence[str]) -> Bound:
        """With arguments that are numbers as what flows."""
        given = {n: self.arguments[n] for n in numbers if n in self.arguments}
        every, order = self.flows | given, [*self.arguments]

        def place(name: str) -> int:
            return order.index(name) if name in order else len(order)

        return replace(
            self,
            flows={n: every[n] for n in sorted(every, key=place)},
            arguments=self.arguments | {n: Flow(n) for n in given},
        )

    def copy(self, number: int) -> Bound:
        """The arguments of one copy: of each list the item that is its turn."""
        return replace(
            self,
            arguments={
                n: v.items[number % len(v.items)] if isinstance(v, Each) else v
                for n, v in self.arguments.items()
            },
        )


@dataclass(frozen=True, slots=True)
class Flow:
    """The place of an input among the arguments."""

    name: str


def bind(
    trace: Trace,
    where: str,
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
) -> Bound:
    """The arguments of a call, sorted by whether they flow.

    Raises:
        SpecError: the function doesn't take them.
    """
    check_function(trace, where, function)
    signature = signature_of(function)
    try:
        bound = signature.bind(None, *args, **kwargs)
    except TypeError as error:
        strange = [name for name in kwargs if name not in signature.parameters]
        near = (
            difflib.get_close_matches(strange[0], signature.parameters)
            if strange
            else ()
        )
        trace.fault(
            where,
            f"expected the arguments of {shown(function)}, found others: "
            + (f"there is no {strange[0]}" if strange else str(error)),
            f"did you mean {near[0]}?" if near else "",
            code="builder-function",
        )
    bound.apply_defaults()
    given = dict(bound.arguments)
    first, *names = signature.parameters
    del given[first]
    declared = trace.session.declared.get(function, {})
    sorting = _Sorting(trace, where, {*names})
    flows = sorting.flows
    arguments: dict[str, Any] = {}
    absent = set()
    for name in names:
        value = given[name]
        default = signature.parameters[name].default
        if value is None and (default is None or name in declared):
            absent.add(name)
        arguments[name] = sorting.sort(name, value)
        number = is_literal(arguments[name]) or isinstance(arguments[name], Dim)
        if name in declared and number:
            flows[name] = arguments[name]
            arguments[name] = Flow(name)
    for name, value in flows.items():
        if name in RESERVED or not is_name(name):
            trace.fault(
                f"{where}.{quote(name)}",
                "expected an argument with a name that an input can have, found "
                f"{quote(name)}",
                "names end in a letter or digit and hide no builtin of Python",
                code="builder-function",
            )
        for found in _values(value):
            trace.own(f"{where}.{name}", found)
    kinds = signature.parameters
    only = frozenset(n for n in names if kinds[n].kind is kinds[n].KEYWORD_ONLY)
    return Bound(function, flows, arguments, only, frozenset(absent))


@dataclass(frozen=True, slots=True)
class _Sorting:
    """Sorts arguments by whether they flow.

    Args:
        trace: the function that calls.
        where: its node.
        parameters: the names of all arguments.
        flows: gets what flows, by input name.
    """

    trace: Trace
    where: str
    parameters: set[str]
    flows: dict[str, Any] = field(default_factory=dict)

    def sort(self, name: str, value: Any) -> Any:
        """The argument with a `Flow` for what flows, numbers in the caller's words."""
        if isinstance(value, (Value, Slices, Index)):
            self.flows[name] = value
            return Flow(name)
        if isinstance(value, Each):
            return Each(tuple(self.sort(name, item) for item in value.items))
        if _flowing(value):
            if isinstance(value, dict):
                return {k: self.sort(self._part(name, k), v) for k, v in value.items()}
            parts = parts_of(value)
            return like(value, [self.sort(self._part(name, n), v) for n, v in parts])
        return self.trace.given(f"{self.where}.{name}", value)

    def _part(self, name: str, part: Any) -> str:
        """The name of an input for a part of an argument."""
        wanted = name_of(f"{name}_{part}")
        found, count = wanted, 1
        while found in self.parameters or found in self.flows:
            count += 1
            found = f"{wanted}_{count}"
        return found


def known_of(given: Any, values: Values) -> Known | None:
    """What the shape engine knows of something that flows in."""
    if isinstance(given, Value):
        return given.known
    if isinstance(given, (Each, list)):
        items = given.items if isinstance(given, Each) else given
        return values.number(tuple(map(number_of, items)))
    if isinstance(given, Dim):
        return values.array((), "int32", True)
    return values.number(number_of(given))


def has_flow(argument: Any) -> bool:
    """True where something in an argument flows."""
    if isinstance(argument, dict):
        return any(map(has_flow, argument.values()))
    if isinstance(argument, (list, tuple)):
        return any(map(has_flow, argument))
    return isinstance(argument, Flow)


def _flowing(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_flowing, value.values()))
    if isinstance(value, (list, tuple)):
        return any(map(_flowing, value))
    return isinstance(value, (Value, Slices, Index))


def _values(value: Any) -> Iterator[Value]:
    if isinstance(value, Slices):
        value = value.value
    if isinstance(value, Value):
        yield value
