"""A list of steps and marks as a tree of regions, each of which becomes a function."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from .trace import Enter, Exit, Item, Param, Path, Region, Step, Value, values_in


def tree(items: Sequence[Item], name: str = "main") -> Region:
    """The regions that the marks make."""
    root = Region(name)
    stack = [root]
    for item in items:
        if isinstance(item, Enter):
            region = Region(
                item.name, [], item.scope, dict(item.arguments), remat=item.remat
            )
            stack[-1].items.append(region)
            stack.append(region)
        elif isinstance(item, Exit):
            stack.pop()
        else:
            stack[-1].items.append(item)
    return root


def needed(items: Sequence[Item], outputs: Iterable[Value]) -> list[Item]:
    """The items without steps that nothing uses."""
    live = set(outputs)
    kept: list[Item] = []
    for item in reversed(items):
        if isinstance(item, Step):
            if not any(o in live for o in item.outputs):
                continue
            live |= set(used(item))
        kept.append(item)
    return kept[::-1]


def used(item: Step | Region) -> Iterator[Value]:
    """The values that it uses, those that it makes itself among them."""
    if isinstance(item, Step):
        yield from values_in(item.operands)
        yield from values_in(item.slots)
        for body in item.functions.values():
            yield from params_in(body)
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
        if item.name == "remat":
            kept += _remat(item)
        elif len(item.items) > 1 or _is_whole(item):
            kept.append(item)
        else:
            kept += item.items
    region.items = kept


def unwrap(root: Region) -> None:
    """Where one region is all of a model, its items are the model's own."""
    while len(root.items) == 1 and isinstance(root.items[0], Region):
        if root.items[0].remat:
            return
        root.items = root.items[0].items


def _remat(region: Region) -> list[Step | Region]:
    if len(region.items) == 1 and isinstance(region.items[0], Region):
        region.items[0].remat = True
        return list(region.items)
    region.name = "checkpointed"
    return [region] if region.items else []


def _is_whole(region: Region) -> bool:
    """True for a region of one item that says more than the item."""
    if not region.items:
        return False
    only = region.items[0]
    if isinstance(only, Region):
        return region.remat and not only.remat
    return region.remat or bool(only.functions)


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


def is_under(path: Path, scope: Path) -> bool:
    return path[: len(scope)] == scope


def close(region: Region, outputs: dict[str, Value] | None = None) -> None:
    """Finds what flows into and out of each region in this one, and where each lies.

    Args:
        region: whose own scope and inputs are known.
        outputs: what it gives, by name.
    """
    if outputs is not None:
        region.outputs = outputs
    scope = region.scope or ()
    after = set(region.outputs.values())
    for item in reversed(region.items):
        if isinstance(item, Region):
            _scoped(item, scope)
            own = set(made(item))
            given = [v for v in dict.fromkeys(made(item)) if v in after]
            item.outputs = _named_outputs(given)
            name_inputs(item, own)
            after |= set(item.inputs)
            close(item)
        else:
            for body in item.functions.values():
                close(body)
            after |= set(used(item))


def _scoped(region: Region, outer: Path) -> None:
    own = region.scope
    if own is None or not is_under(own, outer):
        inside = [p for p in _places(region) if is_under(p, outer)]
        own = common(inside) if inside else outer
        region.scope = own if is_under(own, outer) else outer


def _places(region: Region) -> Iterator[Path]:
    """Where arrays of a region lie, those that it is given aside."""
    given = _given(region)
    for item in region.items:
        if isinstance(item, Region):
            yield from (p for p in _places(item) if p not in given)
        elif item.functions and item.scope is not None:
            yield (*item.scope, "")
        else:
            yield from (p.path for p in params_in(item) if p.path not in given)


def _named_outputs(values: Sequence[Value]) -> dict[str, Value]:
    if len(values) == 1:
        return {"out": values[0]}
    names: dict[str, Value] = {}
    for place, value in enumerate(values):
        names[fresh(names, value.hint or f"out_{place}")] = value
    return names


def name_inputs(region: Region, own: set[Value], first: Sequence[Value] = ()) -> None:
    """Names the values that flow in: arguments first, in their order, then what it closes
    over, arrays that lie elsewhere among them.

    Args:
        own: the values that it makes.
        first: those that go before all others.
    """
    scope = region.scope or ()
    given = () if region.copies else _given(region)
    free: dict[Value, None] = {}
    for value in used(region):
        if isinstance(value, Param):
            if value.path not in given and is_under(value.path, scope):
                continue
            value = value.base or value
        if value not in own:
            free[value] = None
    named = {v: n for n, v in reversed(region.arguments.items()) if v in free}
    order = [v for v in (*first, *region.arguments.values()) if v in free]
    names: dict[str, Value] = {}
    region.inputs = {}
    for value in dict.fromkeys([*order, *free]):
        hint = named.get(value) or value.hint
        if not hint and isinstance(value, Param):
            hint = str(value.path[-1])
        lone = "x" if len(free) == 1 else f"x_{len(names)}"
        name = fresh(names, identifier(hint) if hint else lone)
        names[name] = value
        region.inputs[value] = name


def _given(region: Region) -> set[Path]:
    """The arrays of the source that a function is given, and uses as they are."""
    given = {v.path for v in region.arguments.values() if isinstance(v, Param)}
    moved = {p.path for p in params_in(region) if p.moves}
    return given - moved


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
