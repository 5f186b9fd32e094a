"""Names of values and nodes: those that the user's code assigns, where it does."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest

from blox.schema import op_class
from blox.schema.names import RESERVED, name_of

from .regions import identifier, snake
from .trace import Param, Path, Region, Step, Value


def hint_values(items: Sequence[Step | Region]) -> None:
    """Gives what a statement of the user's code gives the name that it assigns."""
    steps = [item for item in items if isinstance(item, Step)]
    for step, after in zip_longest(steps, steps[1:]):
        line = step.line
        if line is None or not line.target or len(step.outputs) != 1:
            continue
        if after is None or after.line != line:
            step.outputs[0].hint = step.outputs[0].hint or line.target


def hint_all(region: Region) -> None:
    """Gives names to values in a region and in all that are in it."""
    hint_values(region.items)
    for inner in _inside(region):
        hint_all(inner)


def name_nodes(root: Region) -> None:
    """Gives steps the names of what they give, in regions whose inputs are known.

    None is called as an op, a function or a dim; the next value of an input, or of what
    has a name, gets none.
    """
    functions = {name_of(snake(r.name)) for r in _every(root)}
    sizes = [str(size) for value in root.inputs for size in value.shape]
    dims = {word for size in sizes for word in re.findall(r"[A-Za-z_]\w*", size)}
    _name_nodes(root, functions | dims | RESERVED)


def _name_nodes(region: Region, others: set[str] | frozenset[str]) -> None:
    taken = {*others, *region.inputs.values()}
    for item in region.items:
        if isinstance(item, Step) and not item.hint and len(item.outputs) == 1:
            wanted = _wanted(item.outputs[0])
            if wanted and wanted not in taken and op_class(wanted) is None:
                taken.add(wanted)
                item.hint = wanted
    for inner in _inside(region):
        _name_nodes(inner, others)


def _wanted(value: Value) -> str:
    hint = "" if isinstance(value, Param) else value.hint
    return name_of(identifier(hint)) if hint.strip("_") else ""


def _inside(region: Region) -> Iterator[Region]:
    for item in region.items:
        if isinstance(item, Region):
            yield item
        else:
            yield from item.functions.values()


def _every(region: Region) -> Iterator[Region]:
    yield region
    for inner in _inside(region):
        yield from _every(inner)


def list_name(places: Sequence[Path]) -> str:
    """The name of the list that paths are parts of."""
    words = {
        next((w for w in map(word_of, reversed(path)) if w), "layers")
        for path in places
    }
    return identifier(words.pop()) if len(words) == 1 else "layers"


def word_of(part: str | int) -> str:
    """`block_3` -> `block`; nothing of what is a number."""
    return re.sub(r"_?\d+$", "", str(part))


def one_of(name: str) -> str:
    """`layers` -> `layer`."""
    return name[:-1] if name.endswith("s") and not name.endswith("ss") else name


def several(name: str) -> str:
    """`layer` -> `layers`."""
    return name if name.endswith("s") else f"{name}s"
