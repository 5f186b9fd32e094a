"""The locals of a function: what goes on keeps its name, `x = x + attention(...)`.

A function is written with a name for every value. Then a value that continues another,
which nothing reads any more, takes that one's name; the others get the names that say
most about them. What is written decides: every read is seen, those of functions inside
too.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

from .notes import PLAIN, Edge, Facts, Kind, Note
from .scopes import Renamer, Usage, usage

AHEAD = 32
"""How many values further a name is looked for."""


@dataclass
class Locals:
    """What is known of the locals of a function while it is written.

    `arguments` says by name which may get new values; `taken` are names that no local
    may hide.
    """

    arguments: Mapping[str, bool]
    taken: Set[str]
    notes: dict[str, Note] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)

    def add(self, local: str, note: Note) -> None:
        """Notes what is known of a local, after all that it continues."""
        self.notes[local] = note
        for edge in note.edges:
            if (origin := self.origin(edge.local)) is not None:
                self.origins[local] = origin
                return

    def go_on(self, local: str, argument: str) -> None:
        """Notes that a local is the next value of an argument."""
        if local in self.notes:
            note = self.notes[local]
            note.names = [argument, *note.names]
            note.edges = [Edge(argument, Kind.OUTPUT, argument), *note.edges]

    def origin(self, local: str) -> str | None:
        """The argument that a value continues, whatever happened to it on the way."""
        return local if local in self.arguments else self.origins.get(local)

    def facts(
        self, outputs: Mapping[str, str | None], names: Mapping[str, str]
    ) -> Facts:
        """What callers may know of the outputs."""
        there = {o: local for o, local in outputs.items() if local is not None}
        origins = {o: self.origin(local) for o, local in there.items()}
        return Facts(
            {o: origin for o, origin in origins.items() if origin is not None},
            {o: names[local] for o, local in there.items() if local in names},
        )

    def named(
        self, body: Sequence[ast.stmt], results: Mapping[str, str]
    ) -> tuple[list[ast.stmt], dict[str, str]]:
        """The statements with the names of their locals, and those by the old ones.

        Args:
            body: the statements, which are changed.
            results: locals that are returned, and by which names.
        """
        usages = [usage(s) for s in body]
        takes = Counter(n for u in usages for n in u.takes - u.writes.keys())
        for local, output in results.items():
            note = self.notes.get(local)
            if note is not None:
                note.names = [output, *note.names]
                note.edges = [
                    replace(e, kind=Kind.OUTPUT, formal=output) for e in note.edges
                ]
        naming = _Naming(self, usages, takes)
        for i, statement in enumerate(body):
            naming.statement(i, statement)
        renamer = Renamer(naming.names)
        for statement in body:
            renamer.rename(statement)
        return [s for s in body if not _is_idle(s)], naming.names


class _Naming:
    """One pass over the statements of a function."""

    def __init__(
        self, known: Locals, usages: Sequence[Usage], takes: Mapping[str, int]
    ) -> None:
        self.known = known
        self.usages = usages
        self.takes = takes
        """How many statements take a value."""
        self.names = {argument: argument for argument in known.arguments}
        """The names given so far."""
        self.last, self.hidden = _reach(usages)
        """The last statement that speaks of a local; what functions inside hide."""
        self.busy = {a: self.last.get(a, -1) for a in known.arguments}
        """Until which statement a name is in use."""
        self.holder = dict(self.names)
        """The local that has a name now."""
        self.fixed = {*known.arguments}
        """The names that are still those of arguments."""
        self.functions = frozenset(n for u in usages for n in u.functions)
        """The names of functions inside."""
        self.onward: dict[str, tuple[str, Edge]] = {}
        for local, note in known.notes.items():
            for edge in note.edges:
                self.onward.setdefault(edge.local, (local, edge))

    def statement(self, i: int, statement: ast.stmt) -> None:
        """Names what statement `i` gives a value to."""
        # What one assignment reads is read before it writes.
        before = i if isinstance(statement, ast.Assign | ast.AnnAssign) else i - 1
        given: set[str] = set()
        for local in self.usages[i].writes:
            if local in self.names or local == "_":
                continue
            name = self._continued(local, before, given)
            if name is None:
                name = next(
                    n
                    for n in self._candidates(local)
                    if self._is_free(local, n, before, given)
                )
                self.fixed.discard(name)
            given.add(name)
            self.names[local] = name
            self.holder[name] = local
            self.busy[name] = max(self.last[local], i)

    def _continued(self, local: str, before: int, given: Set[str]) -> str | None:
        """The name of what a value continues, if nothing else needs that any more."""
        note = self.known.notes.get(local)
        for edge in note.edges if note else ():
            way = self._way(edge)
            if not way:
                continue
            source = way[-1].local
            name = self.names[source]
            if (
                self.holder.get(name) == source
                and self.last.get(source, -1) <= before
                and not (self.takes[source] > 1 and any(e.once for e in way))
                and all(e.fits(name, is_argument=name in self.fixed) for e in way)
                and self.known.arguments.get(name, True)
                and name not in given
                and name not in self.hidden.get(local, ())
            ):
                return name
        return None

    def _way(self, edge: Edge) -> list[Edge]:
        """The edges to a local, through values without lines of their own."""
        way = [edge]
        for _ in range(AHEAD):
            edge = way[-1]
            if edge.local in self.names:
                return way
            note = self.known.notes.get(edge.local)
            if edge.direct or note is None or not note.edges:
                return []
            way.append(note.edges[0])
        return []

    def _candidates(self, local: str) -> Iterator[str]:
        note = self.known.notes.get(local)
        if note is None:
            yield local
        else:
            found = (*self._ahead(local, note), *note.names)
            yield from (n for n in found if n not in self.known.taken)
            yield from PLAIN if note.plain else ()
        name = local.rstrip("_")
        while True:
            name += "_"
            yield name

    def _ahead(self, local: str, note: Note) -> Sequence[str]:
        """Names of a value by what becomes of it.

        That which a function calls it that it goes into; a plain one where layer follows
        layer; else the shortest, which is seldom the one that tells of a step on the way.
        """
        names, lines, layers, end = note.names[:1], 1, 0, local
        for _ in range(AHEAD):
            if local not in self.onward:
                break
            source, (local, edge) = local, self.onward[local]
            written = source in self.last
            if edge.kind is Kind.OUTPUT or (edge.direct and not written):
                break
            if edge.kind in (Kind.CALL, Kind.LOOP) and edge.formal is not None:
                return [edge.formal]
            if edge.kind is not Kind.LOOP and self.takes[source] > 1:
                break
            layers += edge.kind is Kind.PARAM
            if local in self.last:
                lines, end = lines + 1, local
                names += self.known.notes[local].names[:1]
        if layers and self.takes[end] > 1:
            return self.known.notes[end].names[:1]
        if layers > 1 or (layers and lines > 2):
            return PLAIN
        own = note.names and note.names[0] not in self.known.taken
        return sorted(names, key=len)[:1] if own else []

    def _is_free(self, local: str, name: str, before: int, given: Set[str]) -> bool:
        if name in self.known.arguments:
            note = self.known.notes.get(local)
            if not (note and note.plain and self.known.arguments[name]):
                return False
        if name in self.functions and name != local:
            return False  # type checkers take it for the function
        free = self.busy.get(name, -1) <= before
        return free and name not in given and name not in self.hidden.get(local, ())


def _reach(usages: Sequence[Usage]) -> tuple[dict[str, int], dict[str, set[str]]]:
    """The last statement that speaks of each name, and what functions inside hide.

    A function inside reads when it is called.
    """
    last: dict[str, int] = {}
    hidden: dict[str, set[str]] = {}
    inside: dict[str, Set[str]] = {}
    for i, found in enumerate(usages):
        called = found.reads & inside.keys()
        speaks = {*found.reads, *found.writes}.union(*(inside[n] for n in called))
        last |= dict.fromkeys(speaks, i)
        for name, bound in found.hidden.items():
            hidden.setdefault(name, set()).update(bound)
        inside |= found.functions
    return last, hidden


def _is_idle(statement: ast.stmt) -> bool:
    """`x = x`, of which the second was another value."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=a)], value=ast.Name(id=b)):
            return a == b
    return False
