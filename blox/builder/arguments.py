"""What a call gives to a Python function: values that flow, and everything else."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, TypeVar, cast

from blox.schema.diagnostics import quote
from blox.schema.names import is_name

from .sizes import Dim
from .trace import Trace
from .values import Value, is_numeric

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Each:
    """A value for each copy of a `repeat`."""

    items: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Slices:
    """The slices of a value, one for each step."""

    value: Value


@dataclass(frozen=True, slots=True)
class Index:
    """The number of the copy or step."""


def each(items: Sequence[T]) -> T:
    """An argument of a `repeat` that is another one for each copy, in turn.

    f.repeat("stages", stage, count=3, scan=False)(x, width=bx.each([64, 128, 256]))
    """
    return cast(T, Each(tuple(items)))


def slices(x: Value) -> Value:
    """An argument of a loop or `map` that is one slice of x at a time.

    f.scan("cell", cell, axis=1)(h, bx.slices(x))
    """
    return cast(Value, Slices(x))


def index() -> Value:
    """An argument of a `repeat` or `scan` that is the number of the copy or step."""
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
        """The arguments by position that are numbers: a loop may start from them."""
        return [
            n
            for n, v in self.arguments.items()
            if n not in self.keyword_only and is_numeric(v)
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


@lru_cache(maxsize=512)
def signature_of(function: Callable[..., Any]) -> inspect.Signature:
    return inspect.signature(function)


def check_function(trace: Trace, where: str, function: Any) -> None:
    """Refuses what can't be a function of a Graph."""
    name = getattr(function, "__name__", None)
    if not callable(function) or not isinstance(name, str) or not is_name(name):
        found = quote(name or type(function).__name__)
        trace.fault(
            where,
            f"expected a Python function with a name of its own, found {found}",
            "write it with def; names have letters, digits and inner underscores",
            code="builder-function",
        )
    parameters = list(signature_of(function).parameters.values())
    if not parameters:
        trace.fault(
            where,
            f"expected a first parameter f of {name}, found none",
            "it gets the builder",
            code="builder-function",
        )
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            trace.fault(
                where,
                f"expected named parameters of {name} only, found "
                f"{parameter.replace(annotation=parameter.empty)}",
                "its inputs have names in the Graph",
                code="builder-function",
            )


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
            f"expected the arguments of {_shown(function)}, found others: "
            + (f"there is no {strange[0]}" if strange else str(error)),
            f"did you mean {near[0]}?" if near else "",
            code="builder-function",
        )
    bound.apply_defaults()
    given = dict(bound.arguments)
    first, *names = signature.parameters
    del given[first]
    declared = trace.session.declared.get(function, {})
    flows: dict[str, Any] = {}
    arguments: dict[str, Any] = {}
    absent = set()
    for name in names:
        value = given[name]
        default = signature.parameters[name].default
        if value is None and (default is None or name in declared):
            absent.add(name)
        if isinstance(value, (int, float, str)) and name in declared:
            value = trace.number(f"{where}.{name}", value)
        if name in declared and (is_numeric(value) or isinstance(value, Dim)):
            flows[name] = value
            arguments[name] = Flow(name)
        else:
            arguments[name] = _sorted(name, value, flows)
    for name, value in flows.items():
        for found in _values(value):
            trace.own(f"{where}.{name}", found)
    kinds = signature.parameters
    only = frozenset(n for n in names if kinds[n].kind is kinds[n].KEYWORD_ONLY)
    return Bound(function, flows, arguments, only, frozenset(absent))


def _shown(function: Callable[..., Any]) -> str:
    """`block(f, x, *, heads)`: a function without its types."""
    signature = signature_of(function)
    plain = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    bare = signature.replace(parameters=plain, return_annotation=signature.empty)
    return f"{function.__name__}{bare}"


def _sorted(name: str, value: Any, flows: dict[str, Any]) -> Any:
    """The argument with a `Flow` for what flows, which goes into `flows`."""
    if isinstance(value, (Value, Slices, Index)):
        flows[name] = value
        return Flow(name)
    if isinstance(value, (list, tuple)) and any(_flowing(v) for v in value):
        parts = [_sorted(f"{name}_{i}", v, flows) for i, v in enumerate(value)]
        return type(value)(parts) if type(value) in (list, tuple) else tuple(parts)
    if isinstance(value, dict) and any(_flowing(v) for v in value.values()):
        return {k: _sorted(f"{name}_{k}", v, flows) for k, v in value.items()}
    return value


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
