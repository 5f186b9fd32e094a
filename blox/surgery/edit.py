"""`bx.edit`: a Graph changed by operations, each of which says what its weights become."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from blox.schema import Graph
from blox.schema.graph import expect_graph

from .carry import carried
from .nodes import replaced
from .plan import Plan, Step, plan_of, same_paths


def edit(graph: Graph) -> Edit:
    """A Graph to be changed, by operations one after another:

        tuned = bx.edit(graph).replace("attention.query", writer).freeze("wte")
        print(tuned.plan)
        params = tuned.carry_over(params, key=jax.random.key(0))
        bx.save("tuned", tuned.graph, params)

    Raises:
        SpecError: the Graph is not sound.
    """
    expect_graph(graph)
    return Edit((Step(graph, graph, same_paths(graph, graph)),))


@dataclass(frozen=True, repr=False)
class Edit:
    """A Graph that was changed, and the plan of what that makes of its weights.

    It never changes: each operation gives another one.

    Args:
        steps: the operations so far, the first of which changes nothing.
    """

    steps: tuple[Step, ...]

    @property
    def graph(self) -> Graph:
        """The Graph as it is now."""
        return self.steps[-1].graph

    @cached_property
    def plan(self) -> Plan:
        """What becomes of every array, from the first Graph to this one."""
        return plan_of(self.steps)

    def carry_over(self, params: Mapping[str, Any], key: Any = None) -> dict[str, Any]:
        """Params of `graph`, of those of the Graph that was edited.

        Arrays that stay as they are stay the same objects; one that is new starts as
        `bx.init(edit.graph, key)` starts it.

        Args:
            params: of the Graph that was given to `bx.edit`.
            key: `jax.random.key(seed)`, where something is new.

        Raises:
            ModelError: params are not those of that Graph, or a key is missing.
        """
        return carried(self.steps, params, key)

    def then(self, step: Step) -> Edit:
        """The Edit with one more operation, of `graph`."""
        return Edit((*self.steps, step))

    def __repr__(self) -> str:
        return f"<Edit {self.graph!r}; {self.plan!r}>"

    # Operations ----------------------------------------------------------------------

    def replace(self, nodes: str, writer: Callable[..., Any]) -> Edit:
        """Something else in place of nodes: `edit.replace("attention.query", writer)`.

            def writer(f: bx.F, node: bx.Node) -> bx.Value:
                return node() + f.linear(f"{node.name}_more", node.x, node.out_features)

        `node()` writes the node as it was, `node(x=y)` with something changed, and `node.x`
        and `node.out_features` are what it has. An array that is at the same path
        afterwards, in the same shape, is carried over.

        Args:
            nodes: a glob over `function.node`.
            writer: gives what the node gave: a value, or all of its outputs by name.

        Raises:
            SpecError: the glob matches no node, or what is written is not sound.
            ModelError: a node does not take the shapes that flow into it.
        """
        return self.then(replaced(self.graph, nodes, writer))
