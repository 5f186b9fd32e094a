"""One run of a function that a node calls, on what flows in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from blox.shapes.values import Value as Known

from .arguments import Bound, Flow, Slices, has_flow
from .outputs import finish
from .sizes import Dim, plain, tree_of_number
from .trace import Trace
from .values import Value, like, parts_of


@dataclass(frozen=True, slots=True)
class Place:
    """The node that runs a function.

    Args:
        axis: along which slices are taken.
        shares: True where the function's parameters lie beside those of the caller.
        carried: the sizes of inputs that the copy before gives, by name.
    """

    trace: Trace
    node: str
    axis: Any
    shares: bool
    carried: Mapping[str, list[Any]]


def run(
    place: Place, bound: Bound, inputs: Mapping[str, Any], numbers: bool = False
) -> Trace:
    """Runs the function; what it wrote.

    Args:
        inputs: what the engine knows of the inputs, by name.
        numbers: True where it may return numbers.
    """
    trace = place.trace
    child = Trace(trace.session, bound.function, trace, place.node)
    child.left_out = set(bound.absent)
    child.parameters = frozenset(bound.arguments)
    if place.shares:
        child.leaves = dict(trace.leaves)
    for name, given in bound.flows.items():
        known = inputs.get(name) or child.session.engine.values.lost()
        child.inputs[name] = _input(place, child, name, given, known)
    arguments: dict[str, Any] = {}
    for name, given in bound.arguments.items():
        if not has_flow(given):
            child.static[name] = given
        arguments[name] = _argument(child, name, given)
    positional = [v for n, v in arguments.items() if n not in bound.keyword_only]
    keywords = {n: v for n, v in arguments.items() if n in bound.keyword_only}
    finish(child, bound.function(child.f, *positional, **keywords), numbers)
    return child


def _input(place: Place, child: Trace, name: str, given: Any, known: Known) -> Value:
    """An input of a function, its sizes as symbols of that function."""
    if isinstance(given, Value) and given.kind == "key":
        return Value(name, child, known, (), "key", given.optional)
    optional = isinstance(given, Value) and given.optional
    made = partial(Value, name, child, known, optional=optional)
    if isinstance(given, Value) and given.kind == "list":
        count = given.copies
        copies = child.size(f"{name}_copies", plain(count), tree_of_number(count))
        made = partial(made, kind="list", copies=copies)
    if known.shape is None:
        return made(None)
    sources = place.carried.get(name) or _sources(place, given, known.shape)
    declared = child.session.declared.get(child.function, {}).get(name)
    sizes: list[Any] = []
    for axis, (size, before) in enumerate(zip(known.shape, sources, strict=True)):
        if type(size) is not int:
            tree = before.tree if isinstance(before, Dim) else None
            dim = "" if declared is None else declared.dim_at(axis, len(known.shape))
            if not dim and size == child.session.engine.symbols.leading:
                sizes.append(Dim(None, size))  # "..." may be any number of axes
                continue
            hint = child.free_dim(dim) if dim else getattr(tree, "name", None)
            hint = hint or f"{name}_{axis}"
            sizes.append(child.bind_dim(hint, size, (name, axis), tree, dim))
            continue
        last = axis == len(known.shape) - 1
        stem = name if child.inputs else "in"
        hint = f"{stem}_features" if last else f"{name}_{axis}"
        bound = tree_of_number(before) if before == size else size
        sizes.append(child.size(hint, size, bound))
    return made(tuple(sizes))


def _sources(place: Place, given: Any, shape: tuple[Any, ...]) -> list[Any]:
    """The sizes of what the caller gives, axis by axis of what flows in."""
    value = given.value if isinstance(given, Slices) else given
    sizes = list(value.sizes or ()) if isinstance(value, Value) else []
    axis = place.axis
    known = type(axis) is int and -len(sizes) <= axis < len(sizes)
    if isinstance(given, Slices) and known and not given.of_list:
        del sizes[axis]
    return sizes if len(sizes) == len(shape) else list(shape)


def _argument(child: Trace, name: str, given: Any) -> Any:
    """An argument as the function gets it."""
    if isinstance(given, Flow):
        return child.inputs[given.name]
    if has_flow(given):
        if isinstance(given, dict):
            return {k: _argument(child, f"{name}_{k}", v) for k, v in given.items()}
        parts = parts_of(given)
        return like(given, [_argument(child, f"{name}_{n}", v) for n, v in parts])
    return child.argument(name, given)
