"""The sizes of an array as the nodes write it that have it: `$width`, rather than 384."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from blox.schema import Graph, Op
from blox.schema.expressions import names
from blox.schema.fields import is_expression
from blox.schema.sizes import Unknown

from .owners import Owner


def written_sizes(
    graph: Graph, owner: Owner, others: Sequence[Owner], known: Sequence[int]
) -> list[int | str]:
    """The sizes of an array, as expressions of the function of one of its nodes.

    What that node leaves open is written as another node does, where that means the same
    in both functions, else as a number.

    Args:
        graph: the model.
        owner: the node that they are for.
        others: all nodes that have the array.
        known: the sizes as numbers.
    """
    own = _sizes(graph, owner)
    found: list[int | str] = []
    for axis, number in enumerate(known):
        given = (_sizes(graph, other)[axis] for other in others)
        alike = (s for s in given if s is not None and _is_global(graph, owner, s))
        mine = own[axis]
        found.append(next(alike, number) if mine is None else mine)
    return found


def _sizes(graph: Graph, owner: Owner) -> list[int | str | None]:
    """The sizes that the node writes; None for those that it leaves open."""
    function, node = owner.node
    op = graph.functions[function].nodes[node]
    shape = _spelled(op).with_unknown().parameters()[owner.slot].shape
    return [_size(part) for part in shape]


def _size(part: Any) -> int | str | None:
    if isinstance(part, Unknown):
        return None if part.names else f"${part.text}"
    return int(part)


def _spelled(op: Op) -> Op:
    """The op with its expressions as sizes that calculate: their texts are joined."""
    changes: dict[str, Any] = {}
    for name in op.fields().minima:
        value = getattr(op, name)
        if isinstance(value, list):
            changes[name] = [_text(part) for part in value]
        else:
            changes[name] = _text(value)
    return op.unchecked_copy(**changes)


def _text(value: Any) -> Any:
    if not is_expression(value):
        return value
    inner = value[1:]
    return Unknown.written(inner, is_name=inner.isidentifier())


def _is_global(graph: Graph, owner: Owner, size: int | str) -> bool:
    """True of a size of attributes of the Graph that the function has no others for."""
    if not isinstance(size, str):
        return True
    used = {*names(size)}
    own = graph.functions[owner.node[0]].attributes
    return used <= {*graph.attributes} and not used & {*own}
