"""Order for files that a tool has sorted: nodes before users, optional inputs last.

What stands in a right place stays there; the canonical text is `to_json`'s.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Any

from ..custom import Custom
from ..fields import is_expression
from ..graph import Graph
from ..op import Op
from .canonical import plain


def reorder(data: dict[str, Any] | Graph) -> Graph:
    """The Graph of plain data, its nodes in an order in which references look back.

    The order is the given one wherever references allow that; nodes in a circle, which
    no order helps, keep theirs, for the checks to name.

    Raises:
        SpecError: every faulty field in one error.
    """
    graph = data if isinstance(data, Graph) else Graph.parse(data)
    result = plain(graph)
    for name, function in graph.functions.items():
        target = result["functions"][name]
        if function.nodes:
            target["nodes"] = {n: target["nodes"][n] for n in _node_order(graph, name)}
        if function.inputs:
            ordered = sorted(function.inputs, key=lambda n: function.inputs[n].optional)
            target["inputs"] = {n: target["inputs"][n] for n in ordered}
    return Graph.parse(result)


def _node_order(graph: Graph, name: str) -> list[str]:
    function = graph.functions[name]
    nodes = list(function.nodes)
    place = {node: i for i, node in enumerate(nodes)}
    users: list[list[int]] = [[] for _ in nodes]
    waits = [0] * len(nodes)
    for i, op in enumerate(function.nodes.values()):
        sources = {r.partition(".")[0] for r in references(op)}
        for source in sources - set(function.inputs):
            if source in place:
                users[place[source]].append(i)
                waits[i] += 1
    ready = [i for i, count in enumerate(waits) if count == 0]
    order: list[int] = []
    while ready:
        i = heapq.heappop(ready)
        order.append(i)
        for user in users[i]:
            waits[user] -= 1
            if waits[user] == 0:
                heapq.heappush(ready, user)
    done = set(order)
    order += [i for i in range(len(nodes)) if i not in done]
    return [nodes[i] for i in order]


def references(op: Op) -> Iterator[str]:
    """Every reference of a node: `name` or `name.output`.

    Of an op that is no core op, all its texts: what of them are references says a body
    or a class, and no more than an order hangs on it.
    """
    if isinstance(op, Custom):
        yield from _texts(op.given)
        return
    fields = op.fields()
    for field in (*fields.operands, *fields.slots):
        value = getattr(op, field)
        if isinstance(value, dict):
            items = list(value.values())
        else:
            items = value if isinstance(value, list) else [value]
        for item in items:
            if isinstance(item, str) and not is_expression(item):
                yield item


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)
