"""The same model with something else in place of nodes, as `bx.edit` has it written."""

from __future__ import annotations

from collections.abc import Mapping

from blox.schema import Graph
from blox.schema.graph import expect_graph

from .graph import GraphBuilder
from .source import Change


def change(graph: Graph, around: Mapping[str, Change]) -> Graph:
    """The same model with something else in place of nodes: its names and paths stay.

        def lora(f, node):
            low = f.linear(f"{node.name}_down", node.x, 8, use_bias=False)
            ...
            return node() + up

        tuned = change(minilm, {"attention.query": lora})

    Args:
        graph: the model.
        around: what writes something in place of nodes, by globs over `function.node`:
            `node()` writes the node as it was, and `node.x` is its operand.

    Raises:
        SpecError: a glob matches no node, or what is written is not sound. ModelError: a
            node does not take the shapes that flow into it.
    """
    expect_graph(graph)
    b = GraphBuilder(graph.name, **graph.attributes)
    for dim, bounds in graph.dims.items():
        b.dim(dim, **dict(bounds))
    for text in graph.constraints:
        b.constraint(text)
    for function in b.rewritten(graph, around).entries():
        b.entry(function, **b.declared[function])
    return b.graph(entries=graph.entries, **dict(graph.metadata))
