"""Lists of parameters that nodes name part by part: `"params": "layers.0"`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..diagnostics import Report, listing
from ..frozen import frozen
from ..parameters import Leaf
from .program import Step
from .trees import Tree, firsts, has_state, is_numbered

Path = tuple[str, ...]


def check_lists(tree: Tree, report: Report) -> None:
    """The parts of each list are there from 0 on, without a gap: those of all entries."""
    for path, part in _numbered(tree):
        if numbers := _incomplete(part):
            report.error(
                "parameter-list",
                ".".join(path),
                f"expected parts 0 to {len(numbers) - 1} of the list, found "
                f"{listing([*map(str, numbers)])}",
                "number them without a gap; all entries together have the list",
            )


def check_state_in_lists(
    name: str, steps: Sequence[Step], tree: Tree, report: Report
) -> None:
    """A function that keeps state in a list has all of the list: it returns as many parts
    as there are."""
    if not any(part.isdecimal() for step in steps for part in step.scope):
        return
    for path, part in _numbered(tree):
        if (numbers := _incomplete(part)) and has_state(part):
            report.error(
                "parameter-list",
                name,
                f"expected all parts of {'.'.join(path)} in the function that keeps state "
                f"in it, found {listing([*map(str, numbers)])}",
            )


def listed(tree: Tree, made: dict[int, Tree] | None = None) -> Tree:
    """The tree with a list for all that lies by number; what has none is the same object,
    and what was one object stays so."""
    made = {} if made is None else made
    if isinstance(tree, Leaf):
        return tree
    if id(tree) not in made:
        made[id(tree)] = _listed(tree, made)
    return made[id(tree)]


def _listed(tree: dict[str, Tree] | list[Tree], made: dict[int, Tree]) -> Tree:
    new: Tree
    if isinstance(tree, list):
        alike = {id(part): (part, listed(part, made)) for _, part in firsts(tree)}
        same = all(part is of for of, part in alike.values())
        new = tree if same else [alike[id(part)][1] for part in tree]
    elif is_numbered(tree):
        new, same = [listed(tree[n], made) for n in sorted(tree, key=int)], False
    else:
        new = {name: listed(part, made) for name, part in tree.items()}
        same = all(new[name] is part for name, part in tree.items())
    return tree if same else frozen(new)


def _incomplete(tree: Tree) -> list[int]:
    """The numbers of what lies by number, unless they are 0 to n - 1."""
    numbers = sorted(int(name) for name in tree) if isinstance(tree, dict) else []
    return [] if numbers == [*range(len(numbers))] else numbers


def _numbered(tree: Tree) -> Iterator[tuple[Path, Tree]]:
    """Where something lies by number; what is one object, once."""
    todo: list[tuple[Path, Tree]] = [((), tree)]
    seen: set[int] = set()
    for path, part in todo:
        if isinstance(part, Leaf) or id(part) in seen:
            continue
        seen.add(id(part))
        if is_numbered(part):
            yield path, part
        items = part.items() if isinstance(part, dict) else firsts(part)
        todo += [((*path, str(name)), inner) for name, inner in items]
