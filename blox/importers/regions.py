"""A list of steps and marks as a tree of regions, each of which becomes a function."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from blox.schema import op_class

from .trace import Enter, Exit, Item, Param, Path, Region, Step, Value, values_in


def tree(items: Sequence[Item], name: str = "main") -> Region:
    """The regions that the marks make."""
    root = Region(name)
    stack = [root]
    for item in items:
        if isinstance(item, Enter):
            region = Region(
                item.name,
                [],
                item.scope,
                dict(item.arguments),
                remat=item.remat,
                doc=item.doc,
            )
            region.line = item.line
            stack[-1].items.append(region)
            stack.append(region)
        elif isinstance(item, Exit):
            stack.pop()
        else:
            stack[-1].items.append(item)
    return root


def needed(items: Sequence[Item], outputs: Iterable[Value]) -> list[Item]:
    """The items without steps that nothing uses, and that update no state."""
    live = set(outputs)
    kept: list[Item] = []
    for item in reversed(items):
        if isinstance(item, Step):
            if not any(o in live for o in item.outputs) and not updates(item):
                continue
            live |= set(used(item))
        kept.append(item)
    return kept[::-1]


def updates(step: Step) -> bool:
    """True of a step that gives an array of the model its next value, in what it runs
    too."""
    cls = op_class(step.op)
    return (cls is not None and bool(cls.ASSIGNS)) or any(
        updates(inner) for body in step.functions.values() for inner in steps_in(body)
    )


def used(item: Step | Region) -> Iterator[Value]:
    """The values that it uses, those that it makes itself among them."""
    if isinstance(item, Step):
        yield from values_in(item.operands)
        yield from values_in(item.slots)
        for body in item.functions.values():
            yield from free(body)
    else:
        for part in item.items:
            yield from used(part)


def everything(item: Step | Region) -> Iterator[Value]:
    """The values that it uses, those in the functions of loops and branches among them."""
    if isinstance(item, Region):
        for part in item.items:
            yield from everything(part)
        return
    yield from values_in(item.operands)
    yield from values_in(item.slots)
    for body in item.functions.values():
        yield from everything(body)
        yield from body.outputs.values()


def free(region: Region) -> Iterator[Value]:
    """The values that a region uses and does not make, its parameters among them, and
    those inputs excepted that are settled."""
    own = {*made(region), *region.inputs}
    for value in (*used(region), *region.outputs.values()):
        if value not in own:
            yield value


def made(item: Step | Region) -> Iterator[Value]:
    """The values that it makes."""
    if isinstance(item, Step):
        yield from item.outputs
    else:
        for part in item.items:
            yield from made(part)


def params_in(item: Step | Region) -> Iterator[Param]:
    """The parameters that it uses, in order."""
    for value in used(item):
        if isinstance(value, Param):
            yield value


def steps_in(region: Region) -> Iterator[Step]:
    """All steps of a region, those of its regions and bodies among them."""
    for item in region.items:
        if isinstance(item, Region):
            yield from steps_in(item)
        else:
            yield item
            for body in item.functions.values():
                yield from steps_in(body)


def tidy(region: Region) -> None:
    """Without regions that hold nothing, or one small op."""
    kept: list[Step | Region] = []
    for item in region.items:
        if isinstance(item, Step):
            for body in item.functions.values():
                tidy(body)
            kept.append(item)
            continue
        tidy(item)
        if item.remat and item.name == "remat":
            kept += _remat(item)
        elif len(item.items) > 1 or _is_whole(item):
            kept.append(item)
        else:
            kept += item.items
    region.items = kept


def unwrap(root: Region) -> None:
    """Where one region is all of a model but for its key, and for parts of inputs and stacks
    of outputs, as those of caches, its items are the model's own."""
    ends = {*root.inputs}, {*root.outputs.values()}
    while True:
        inner = [item for item in root.items if isinstance(item, Region)]
        steps = [item for item in root.items if isinstance(item, Step)]
        if (
            len(inner) != 1
            or inner[0].remat
            or not all(_is_end(s, *ends) for s in steps)
        ):
            return
        at = root.items.index(inner[0])
        root.items[at : at + 1] = inner[0].items
        root.doc = root.doc or inner[0].doc


def _is_end(step: Step, inputs: set[Value], outputs: set[Value]) -> bool:
    taken = step.op == "index" and step.operands["x"] in inputs
    given = step.op == "stack" and step.outputs[0] in outputs
    return step.op == "rng" or taken or given


def _remat(region: Region) -> list[Step | Region]:
    if len(region.items) == 1 and isinstance(region.items[0], Region):
        inner = region.items[0]
        inner.remat = inner.remat or region.remat
        return list(region.items)
    region.name = "checkpointed"
    return [region] if region.items else []


def _is_whole(region: Region) -> bool:
    """True for a region of one item that says more than the item."""
    if not region.items:
        return False
    only = region.items[0]
    if isinstance(only, Region):
        return bool(region.remat) and not only.remat
    return bool(region.remat or only.functions)


def common(paths: Iterable[Path]) -> Path:
    """The path that all of these lie under."""
    every = list(paths)
    if not every:
        return ()
    start = every[0][:-1]
    for path in every[1:]:
        count = 0
        while count < min(len(start), len(path) - 1) and start[count] == path[count]:
            count += 1
        start = start[:count]
    return start


def above_numbers(scope: Path, paths: Iterable[Path]) -> Path:
    """A scope of paths, or the one above it where they go on with numbers, as in a list."""
    numbered = any(str(path[len(scope)]).isdigit() for path in paths)
    return scope[:-1] if numbered else scope


def is_under(path: Path, scope: Path) -> bool:
    return path[: len(scope)] == scope


def fresh(taken: Iterable[str], wanted: str) -> str:
    """The name, or one like it that is not taken."""
    names, count = set(taken), 1
    name = wanted
    while name in names:
        count += 1
        name = f"{wanted}_{count}"
    return name


def identifier(text: object) -> str:
    """A text as a name: `attn`, `layers_0`, `n0`."""
    found = re.sub(r"\W+", "_", str(text)).strip("_") or "x"
    found = re.sub(r"_+", "_", found)[:60].rstrip("_")
    return found if found[0].isalpha() else f"n{found}"


def snake(name: str) -> str:
    """`MultiHeadAttention` -> `multi_head_attention`."""
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return identifier(text.lower())
