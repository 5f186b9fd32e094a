"""Where things are in a Graph as plain data."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from blox.schema import op_class

Data = dict[str, Any]
Place = tuple[str | int, ...]


def parts(data: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Every part of plain data, but for docs and metadata."""
    items: Any = ()
    if isinstance(data, dict):
        items = data.items()
    elif isinstance(data, list):
        items = enumerate(data)
    for key, part in items:
        if key not in ("doc", "metadata"):
            yield (*place, key), part
            yield from parts(part, (*place, key))


def at(data: Any, place: Place) -> Any:
    for key in place:
        data = data[key]
    return data


def put(data: Any, place: Place, value: Any) -> None:
    at(data, place[:-1])[place[-1]] = value


def some(
    data: Data, draw: random.Random, wanted: Callable[[Place, Any], bool]
) -> Place | None:
    found = [place for place, part in parts(data) if wanted(place, part)]
    return draw.choice(found) if found else None


def a_function(data: Data, draw: random.Random) -> Data:
    name = draw.choice(list(data["functions"]))
    function: Data = data["functions"][name]
    return function


def a_node(data: Data, draw: random.Random) -> tuple[Data, str]:
    """A function and the name of one of its nodes."""
    functions = [f for f in data["functions"].values() if f["nodes"]]
    function = draw.choice(functions)
    return function, draw.choice(list(function["nodes"]))


def values_of(function: Data, data: Data) -> list[str]:
    """The references that a function can make, and a little more."""
    found = list(function["inputs"])
    for name, node in function["nodes"].items():
        found.append(name)
        called = data["functions"].get(node.get("function"), {})
        outputs = [*called.get("outputs", {}), *(node.get("names") or [])]
        found += [f"{name}.{output}" for output in outputs]
    return found


def reordered(old: Data, names: list[str], was: Mapping[str, str] = {}) -> None:
    """Puts the items of an object into another order, in place; `was`: new names."""
    items = {name: old[was.get(name, name)] for name in names}
    old.clear()
    old.update(items)


def operands_of(op: str) -> tuple[str, ...]:
    cls = op_class(op)
    return tuple(cls.fields().operands) if cls is not None else ()


def known_fields(op: str) -> dict[str, Any]:
    """The names of an op's fields in files, with their defaults."""
    cls = op_class(op)
    assert cls is not None
    return {
        info.alias or name: info.get_default(call_default_factory=True)
        for name, info in cls.model_fields.items()
    }
