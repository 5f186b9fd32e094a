"""Another Graph in one that is being written: its functions, to be called like one's own."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from blox.schema import Graph
from blox.schema.diagnostics import listing, quote

from .declarations import fail
from .groups import Group
from .needs import Needs
from .recorded import Recorded
from .source import Change, Source
from .trace import Trace

if TYPE_CHECKING:
    from .values import Given


class Included:
    """The functions of another Graph: `base.main`, or `base["main"]`.

    Each takes the inputs of the function, by position or by name, then its attributes by
    name. It gives the one output, or the outputs by name: `out.logits`, `out["logits"]`.

    Args:
        source: the Graph, with the numbers that its attributes are here.
    """

    INSTEAD: ClassVar[str] = "call one of its functions, such as base.main"
    """What to do where it is given for a function."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._functions = {
            name: Recorded(source, name, returns_named=False)
            for name in source.graph.functions
        }

    def entries(self) -> Iterator[Callable[..., Any]]:
        """Its entries, as functions that its own functions call."""
        return (self._source.functions[name] for name in self._source.graph.entries)

    @property
    def attributes(self) -> Mapping[str, Any]:
        """Its hyper-parameters by the names that it has for them."""
        return self._source.numbers

    def __getitem__(self, name: str) -> Callable[..., Given]:
        if name not in self._functions:
            fail(self._source.name, *self._unknown(name))
        return self._functions[name]

    def __getattr__(self, name: str) -> Callable[..., Given]:
        if name.startswith("_") or name not in self._functions:
            expected, hint = self._unknown(name)
            raise AttributeError(f"{expected}; {hint}" if hint else expected)
        return self._functions[name]

    def _unknown(self, name: str) -> tuple[str, str]:
        near = difflib.get_close_matches(str(name), self._functions, 1, 0.5)
        return (
            f"expected a function of {self._source.name} ({listing(self._functions)}), "
            f"found {quote(name)}",
            f"did you mean {near[0]}?" if near else "",
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self._functions)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._functions})

    def __repr__(self) -> str:
        return f"<included {self._source.name}: {', '.join(self._functions)}>"


def changes_of(
    graph: Graph, name: str, around: Mapping[str, Change], where: str
) -> dict[tuple[str, str], Change]:
    """What takes the place of nodes, by function and node; of several globs the first.

    Args:
        graph: whose nodes these are.
        name: what it is called.
        around: functions by globs.
        where: what an error names, where they were given.

    Raises:
        SpecError: a glob matches no node, or there is no function for it.
    """
    nodes = {
        f"{f}.{n}": (f, n) for f, own in graph.functions.items() for n in own.nodes
    }
    found: dict[tuple[str, str], Change] = {}
    if not isinstance(around, Mapping):
        fail(
            where,
            f"expected a dict of functions by globs, found {quote(around)}",
            '{"attention.query": lora}',
        )
    for glob, change in around.items():
        text = str(glob)
        exact = [text] if text in nodes else []  # of many names each is looked up alone
        hits = exact or [n for n in nodes if fnmatch.fnmatchcase(n, text)]
        if not hits:
            near = difflib.get_close_matches(str(glob), nodes, 1, 0.5)
            fail(
                where,
                f"expected a glob over function.node that matches one of {name}, found "
                f"{quote(glob)}",
                f"did you mean {near[0]}?"
                if near
                else f"such as {next(iter(nodes), '')}",
            )
        if not callable(change):
            fail(
                f"{where}.{glob}",
                f"expected a function, found {quote(change)}",
                "def lora(f, node): ... return node() + ...",
            )
        for hit in hits:
            found.setdefault(nodes[hit], change)
    return found


def notes_of(graph: Graph, name: str) -> dict[str, Any]:
    """What is kept of the metadata of an included Graph, under its name."""
    known = graph.metadata
    notes = {
        f"{name}.license": known.license,
        f"{name}.source": known.source,
        f"{name}.citation": known.citation,
        f"{name}.authors": ", ".join(known.authors),
    }
    written = {key: text for key, text in notes.items() if text}
    return written | {f"{name}.{key}": value for key, value in known.extra.items()}


def bodies_of(
    included: Iterable[Included], groups: Mapping[Trace, Group]
) -> dict[str, str]:
    """The bodies of ops that included Graphs bring, by op; of several the first.

    Nodes of all others are calls of their bodies, which mean the same.
    """
    called = {
        (trace.function.source, trace.function.own_name): group.name
        for trace, group in groups.items()
        if isinstance(trace.function, Recorded)
    }
    found: dict[str, str] = {}
    for made in included:
        for op, body in made._source.graph.ops.items():
            if (made._source, body) in called:
                found.setdefault(op, called[made._source, body])
    return found


def included(
    graph: Graph,
    name: str,
    numbers: Mapping[str, Any],
    needs: Needs | None,
    around: Mapping[str, Change],
    declared: dict[Callable[..., Any], Any],
) -> Included:
    """The functions of a sound Graph.

    Args:
        graph: the other Graph.
        name: what its functions are called after.
        numbers: its attributes, in the words of the Graph that is being written.
        needs: gets what bounds of its entries ask of the dims of callers; None where the
            model stays as it is, its entries and all names.
        around: what takes the place of nodes, by globs.
        declared: gets the declared inputs of its functions.
    """
    graph.program()
    where = name if needs is None else f"{name}.around"
    changes = changes_of(graph, name, around, where)
    prefix = "" if needs is None else f"{name}_"
    source = Source(graph, name, prefix, dict(numbers), needs, changes, declared)
    made = Included(source)
    source.functions = {
        n: Recorded(source, n, returns_named=True) for n in graph.functions
    }
    return made
