"""The Graph: its content, from plain data, resolved, with other hyper-parameters."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from os import PathLike
from typing import Any

from pydantic import ValidationError

from .content import FORMAT, Content, signature
from .diagnostics import Diagnostic, SpecError, cut, quote
from .parse.reader import read_plain
from .pause import uncollected
from .resolve.extract import part_of
from .resolve.part import Part
from .resolve.program import Program
from .write import canonical

notebook_html: Callable[[Any], str] | None = None
"""A Graph as HTML for notebooks. `blox` sets it: it needs shapes, which this room does not
know. Who uses `blox.schema` alone sees the `repr`."""


class Graph(Content):
    """A model without its arrays: what is computed, as data."""

    @classmethod
    def parse(cls, data: Any) -> Graph:
        """A Graph from plain data. Its fields are checked, its meaning not yet.

        Raises:
            SpecError: every faulty field in one error.
        """
        wrong = list(_check_format(data))
        try:
            with uncollected():
                graph = cls.model_validate(data)
        except ValidationError as error:
            from .parse.pydantic_errors import field_diagnostics

            # Another version may differ in everything else.
            rest = [] if wrong and "format" in data else field_diagnostics(error, data)
            raise SpecError([*wrong, *rest]) from None
        if wrong:
            raise SpecError(wrong)
        return graph

    def model_copy(
        self, *, update: Mapping[str, Any] | None = None, deep: bool = False
    ) -> Graph:
        """The same model with other fields, checked as by `parse`.

        Raises:
            SpecError: every faulty field in one error.
        """
        if not update:
            return super().model_copy(deep=deep)
        return Graph.parse({**dict(self), **update})

    def replace(self, **fields: Any) -> Graph:
        """The same model with other top-level fields: `replace(name="tiny")`.

        Args:
            fields: `name`, `metadata`, `entries`, `dims`, ..., as data or as the objects
                that they are; each stands in place of what there was.

        Raises:
            SpecError: no such field, or a model that is not sound.
        """
        from .resolve import replace

        result = self.model_copy(update=fields)
        program = result.program()
        if not fields.keys() <= {"name", "metadata"}:  # no shape depends on these
            replace.check(result, program)
        return result

    def replace_attributes(self, **values: int | float) -> Graph:
        """The same model with other hyper-parameters: `replace_attributes(depth=2)`.

        Raises:
            SpecError: a name that is not an attribute of the graph, or a model that is
                not sound: sizes that are written as numbers stay, and are named.
        """
        from .resolve import replace

        result = Graph.parse(replace.with_attributes(self, values))
        replace.check(result, result.program())
        return result

    def extract(self, path: str, *, entry: str | None = None) -> Part[Graph]:
        """A part as a Graph of its own: `graph.extract("encoder")`, `extract("h[3].attn")`.

        A node that runs one function stands for that function, `h[3]` for one copy of a
        repeat, `pick.then` for a branch; a repeat without a number, or a node of several
        functions, for the node as a whole. Attributes have the values of that call;
        inputs have the shapes that are known, and bounds of their dims stay. Who has
        imported `blox.schema` alone, without JAX, gets inputs of any shape.

            part = graph.extract("h[3]")
            outputs, state = bx.build(part.graph)(part.params(params), x)

        Args:
            path: of nodes that run functions, from the entry.
            entry: by default the first.

        Raises:
            SpecError: there is no such part, or it is no sound model by itself.
        """
        data, paths = part_of(self, self.program(), path, entry)
        graph = Graph.parse(data)
        graph.program()
        return Part(graph, paths)

    def with_outputs(
        self,
        *paths: str,
        names: Sequence[str] | None = None,
        entry: str | None = None,
    ) -> Graph:
        """The same model with inner values as further outputs, of the same Params.

        What was an output is the same bit for bit. A value inside of a `repeat` comes of
        all copies at once, stacked on a leading axis, one inside of a `scan` or `map` of
        all steps or lanes, on its axis; `h[3].mid` is that of one copy.

            seen = graph.with_outputs("h.attn.scores", names=["scores"])
            outputs, state = bx.build(seen)(params, x)

        Functions that others run too are copied for the way of the value.

        Args:
            paths: of nodes, from the entry; of one of several outputs `h.split_1.left`.
            names: of the outputs, by default `h_attn_scores`.
            entry: that gets them, by default the first.

        Raises:
            SpecError: there is no such node, or its value can't be an output: one in a
                branch of a `cond` or in a `while_loop`.
        """
        from .resolve import replace
        from .resolve.inner_outputs import stacking, with_outputs

        data = with_outputs(self, self.program(), paths, names, entry)
        result = Graph.parse(data)
        with stacking():
            replace.check(result, result.program())
        return result

    def plain(self) -> dict[str, Any]:
        """The Graph as plain data in canonical order, less what has no meaning."""
        return canonical.plain(self)

    @property
    def digest(self) -> str:
        """`sha256:` and the hash of the canonical msgpack. Computed once."""
        return self.once("_digest", canonical.digest)

    def program(self) -> Program:
        """The checked and resolved Graph. Computed once.

        Raises:
            SpecError: every fault of meaning in one error.
        """
        from .resolve.resolver import program

        return program(self)

    def __repr__(self) -> str:
        """On one line, whatever its size; `bx.summary` and `plain()` show all of it."""
        nodes = sum(len(function.nodes) for function in self.functions.values())
        counts = f"{len(self.functions)} functions, {nodes} nodes"
        entries = "".join(
            f"; {name}{signature(self.functions[name])}"
            for name in self.entries
            if name in self.functions
        )
        text = f"<Graph {quote(self.name)}: {counts}{entries}"
        return cut(text, f"; {self.digest[:19]}>")

    __str__ = __repr__

    def _repr_html_(self) -> str | None:
        """The page of `blox show --html`, which notebooks show."""
        return None if notebook_html is None else notebook_html(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Graph):
            return NotImplemented
        return self is other or self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)


def from_bytes(data: bytes) -> Graph:
    """A Graph from JSON or msgpack, read strictly; its meaning is not checked yet.

    Raises:
        SpecError: every faulty field in one error.
    """
    return Graph.parse(read_plain(data))


def expect_graph(value: object) -> None:
    """Refuses a path, a builder or the pair of `load` where a Graph is expected."""
    if isinstance(value, (str, PathLike)):
        raise TypeError("expected a Graph, found a path; use bx.load_graph(path)")
    if not isinstance(value, Graph):
        raise TypeError(
            f"expected a Graph, found {type(value).__name__}; `graph, params = "
            "bx.load(path)`, `Graph.parse(data)` and the builder's `b.graph()` give one"
        )


def _check_format(data: Any) -> Iterator[Diagnostic]:
    if not isinstance(data, dict):
        return
    if "format" not in data:
        yield Diagnostic(
            "format-missing",
            "format",
            f"expected {quote(FORMAT)}, found none",
            f'add "format": "{FORMAT}" if this file is a graph of blox',
        )
    elif data["format"] != FORMAT:
        found = data["format"]
        newer = isinstance(found, str) and re.fullmatch(r"blox/[0-9]{1,9}", found)
        yield Diagnostic(
            "format-version",
            "format",
            f"this blox reads {quote(FORMAT)}, found {quote(found)}",
            "upgrade blox-format to read this file" if newer else "",
        )
