"""What a Graph says before its entries: hyper-parameters, dims, other Graphs in it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any

from blox.schema import Graph
from blox.schema.content import FORMAT
from blox.schema.diagnostics import listing, quote
from blox.schema.graph import expect_graph
from blox.schema.names import MAX_NAME, RESERVED, is_name, name_of
from blox.shapes.op_engine import OpEngine

from .declarations import fail, written_bound
from .errors import at_users_line
from .included import Included, included, notes_of
from .needs import Needs
from .sizes import Real, Size, attribute
from .source import Change
from .trees import Symbol
from .values import Input

Bound = int | str | None


class Declaring:
    """The part of a `GraphBuilder` that its entries need.

    Args:
        name: the model's name.
        attributes: its hyper-parameters.
    """

    def __init__(self, name: str, /, **attributes: int | float) -> None:
        self.name = name
        self._values = {k: _plain(v) for k, v in attributes.items()}
        self.attributes: dict[str, Any] = {
            k: attribute(k, v) for k, v in self._values.items()
        }
        """The hyper-parameters by name, as numbers that remember it."""
        self.attribute_symbols: dict[str, Symbol] = {
            k: v.tree for k, v in self.attributes.items()
        }
        self.declared: dict[Callable[..., Any], dict[str, Input]] = {}
        self._dim_bounds: dict[str, dict[str, int | str]] = {}
        self._constraints: list[str] = []
        self._needs = Needs(self._dim_bounds, self._constraints)
        self._included: dict[str, Included] = {}
        self._notes: dict[str, Any] = {}
        """What is kept of the metadata of included Graphs."""
        self._engine: OpEngine | None = None

    @at_users_line
    def __getattr__(self, name: str) -> Any:
        attributes = self.__dict__.get("attributes", {})
        if name not in attributes:
            have = ", ".join(attributes) or "none"
            raise AttributeError(
                f"expected an attribute of the Graph ({have}), found {name!r}"
            )
        return attributes[name]

    @at_users_line
    def dim(
        self,
        name: str,
        *,
        min: Bound = None,
        max: Bound = None,
        multiple_of: Bound = None,
    ) -> None:
        """Bounds a dim of the entries: checked at the call, and known here.

        Call it before the first entry.
        """
        self._not_yet(f"dims.{name}")
        given = {"min": min, "max": max, "multiple_of": multiple_of}
        self._dim_bounds[name] = {
            key: written_bound(f"dims.{name}.{key}", value, self.attribute_symbols)
            for key, value in given.items()
            if value is not None
        }

    @at_users_line
    def constraint(self, text: str) -> None:
        """Relates dims of the entries: `b.constraint("cached >= seq")`.

        Call it before the first entry.
        """
        self._not_yet("constraints")
        self._constraints.append(text)

    @at_users_line
    def include(
        self,
        graph: Graph,
        /,
        *,
        name: str | None = None,
        around: Mapping[str, Change] | None = None,
        **attributes: int | float,
    ) -> Included:
        """The functions of another Graph, to be called like one's own.

            base = b.include(minilm)
            out = f.call("encoder", base.main)(tokens, mask)

        Its attributes become attributes of this Graph, `minilm_width`, unless they are
        given. What bounds the dims of its entries is proven of each call, or becomes a
        bound of the caller's dims. Call it before the first entry.

        Args:
            graph: the other Graph.
            name: what its functions and attributes are called after; its own name.
            around: functions that write something in place of nodes, by globs over
                `function.node`: `{"attention.query": lora}` with `def lora(f, node)`, in
                which `node()` writes the node as it was, and `node.x` is its operand.
            attributes: other values for its hyper-parameters; `width=b.width` makes it
                follow one of this Graph's.

        Raises:
            SpecError: the name is taken, there is no such attribute, no node that a glob
                matches, or the Graph is not sound.
        """
        self._not_yet("include", "other Graphs")
        expect_graph(graph)
        called = graph.name if name is None else name
        if not is_name(called) or called in self._included:
            what = "that of another" if called in self._included else quote(called)
            fail(
                "include",
                f"expected a new name for {graph.name}, found {what}",
                'b.include(graph, name="encoder")',
            )
        numbers = self._numbers(graph, called, attributes)
        made = included(
            graph, called, numbers, self._needs, around or {}, self.declared
        )
        self._included[called] = made
        self._notes |= notes_of(graph, called)
        return made

    def rewritten(self, graph: Graph, around: Mapping[str, Change]) -> Included:
        """The functions of a Graph that is written anew as this one."""
        numbers = self.attributes
        made = included(graph, graph.name, numbers, None, around, self.declared)
        self._included[graph.name] = made
        return made

    def _numbers(
        self, graph: Graph, called: str, given: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The attributes of an included Graph as numbers of this one."""
        for name in given:
            if name not in graph.attributes:
                near = difflib.get_close_matches(name, graph.attributes, 1, 0.5)
                fail(
                    f"include.{called}",
                    f"expected attributes of {graph.name} ({listing(graph.attributes)}), "
                    f"found {quote(name)}",
                    f"did you mean {near[0]}?" if near else "",
                )
        found: dict[str, Any] = {}
        for name, value in graph.attributes.items():
            value = _plain(given.get(name, value))
            if isinstance(value, (Size, Real)):
                found[name] = value
                continue
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                fail(
                    f"include.{called}.{name}",
                    f"expected a number, found {quote(value)}",
                )
            own, count = name_of(f"{called}_{name}"), 1
            while own in self.attributes or own in RESERVED:
                count += 1
                own = name_of(f"{f'{called}_{name}'[: MAX_NAME - 8]}_{count}")
            self._values[own] = value
            found[name] = self.attributes[own] = attribute(own, value)
            self.attribute_symbols[own] = found[name].tree
        return found

    def _parsed(self, functions: dict[str, Any], **more: Any) -> Graph:
        return Graph.parse(
            {
                "format": FORMAT,
                "name": self.name,
                "attributes": self._values,
                "dims": self._dim_bounds,
                "constraints": self._constraints,
                "functions": functions,
                **more,
            }
        )

    def _not_yet(self, path: str, what: str = "dims and constraints") -> None:
        if self._engine is not None:
            fail(
                path,
                f"expected {what} before the first entry",
                "sizes are inferred with them",
            )


def _plain(value: Any) -> Any:
    number = hasattr(value, "item") and getattr(value, "shape", None) == ()
    return value.item() if number else value
