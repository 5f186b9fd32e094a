"""Names of values and nodes: those that the user's code assigns, where it does."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest

from blox.schema import op_class
from blox.schema.names import RESERVED, is_name, name_of

from .regions import identifier, snake
from .trace import Param, Path, Region, Step


def hint_values(items: Sequence[Step | Region]) -> None:
    """Gives what a statement of the user's code gives the name that it assigns."""
    for item, after in zip_longest(items, items[1:]):
        line = item.line
        if line is None or not line.target or (after and after.line == line):
            continue
        names = line.target.split(", ")
        if isinstance(item, Region):
            item.node = names[0] if len(names) == 1 else ""
        elif item.op == "split":
            _name_parts(item, names)
        elif len(names) == len(item.outputs) == 1:
            item.outputs[0].hint = item.outputs[0].hint or names[0]


def _name_parts(step: Step, names: Sequence[str]) -> None:
    """Names the parts that a statement splits an array into."""
    if len(set(names)) == len(step.outputs) == len(names) and all(map(is_name, names)):
        step.attributes["names"] = list(names)
        step.output_names = tuple(names)


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
        if isinstance(item, Region):
            item.node = _free(item.node, taken)
        if isinstance(item, Step) and not item.hint and len(item.outputs) == 1:
            hint = "" if isinstance(item.outputs[0], Param) else item.outputs[0].hint
            item.hint = _free(hint, taken)
    for inner in _inside(region):
        _name_nodes(inner, others)


def _free(hint: str, taken: set[str]) -> str:
    """The name of a node, from now on taken; "" where it can't be that."""
    if "," in hint or not hint.strip("_"):
        return ""
    wanted = name_of(identifier(hint))
    if wanted in taken or op_class(wanted) is not None:
        return ""
    taken.add(wanted)
    return wanted


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
