"""Arrays that lie elsewhere, in a Graph that runs node for node what another one does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NoReturn

from blox.mapping.moves import Move
from blox.schema import Graph, SpecError
from blox.schema.diagnostics import quote
from blox.schema.resolve.program import Instance
from blox.schema.resolve.trees import flatten

from .variants import Path


def moved(before: Graph, after: Graph) -> Iterator[Move]:
    """Each array at the path that its node has now: the two run alike, node for node."""
    found: dict[str, str] = {}
    for old, new in _pairs(before, after):
        if found.setdefault(new, old) != old:
            both = f"those of {found[new]} and {old}"
            _refuse(
                new,
                f"expected a path of one array, found {both}",
                "choose a name that is free",
            )
    taken: dict[str, str] = {}
    for new in after.program().leaves():
        old = found[new]
        if taken.setdefault(old, new) != new:
            _refuse(
                old,
                "expected all nodes that share the array to be renamed, found it at "
                f"{taken[old]} and {new}",
                'rename its path, kind="path"',
            )
        yield Move.whole([new], [old])


def _pairs(before: Graph, after: Graph) -> Iterator[tuple[str, str]]:
    """(old path, new path) of every array of every node that runs."""
    seen: set[tuple[Path, int, Path, int]] = set()
    olds, news = before.program().entries.values(), after.program().entries.values()
    todo: list[tuple[Path, Instance, Path, Instance]] = [
        ((), old, (), new) for old, new in zip(olds, news, strict=True)
    ]
    while todo:
        path, old, there, new = todo.pop()
        if (key := (path, id(old), there, id(new))) in seen:
            continue
        seen.add(key)
        for was, now in zip(old.steps, new.steps, strict=True):
            own, its = (*path, *was.scope), (*there, *now.scope)
            if not was.callees:
                for name, _ in flatten(was.tree):
                    yield _joined(own, name), _joined(its, name)
            for a, b in zip(was.callees, now.callees, strict=True):
                role = (a.declared.role,) if a.declared.role else ()
                if a.declared.layout == "listed":
                    calls = enumerate(zip(a.calls, b.calls, strict=True))
                    todo += [((*own, *role, str(i)), x, (*its, *role, str(i)), y)
                             for i, (x, y) in calls]  # fmt: skip
                else:
                    both = zip(a.instances, b.instances, strict=True)
                    todo += [((*own, *role), x, (*its, *role), y) for x, y in both]


def _joined(path: Path, name: str) -> str:
    return ".".join([*path, name] if name else path)


def _refuse(where: str, message: str, hint: str) -> NoReturn:
    raise SpecError.one("edit", quote(where), message, hint)
