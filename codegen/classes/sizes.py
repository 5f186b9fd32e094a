"""Sizes of arrays in constructors: of an op's own attributes, and as a node gives them."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from ...schema.op import Op
from ...schema.parameters import Leaf
from ...schema.resolve.program import Step
from ..emit.sized import Sized, written
from ..emit.sizes import Numbers
from ..nodes import known, literal, names_in, subscript
from ..plan import Plan
from .members import Layer


def named_size(number: int, node: ast.expr) -> Sized:
    """A size that is written as `node`, whatever that speaks of."""
    result = Sized(number)
    result.node = node
    return result


def shapes_by_attributes(op: Op, fixed: Sequence[str] = ()) -> dict[str, ast.expr]:
    """The shape of each array of an op, by the names of its attributes.

    Args:
        op: the op, whose attributes have values.
        fixed: attributes that are written as their values.
    """
    changes: dict[str, Any] = {}
    for text in op.fields().minima:
        value = getattr(op, text)
        if text in fixed or isinstance(value, bool):
            continue
        if isinstance(value, int):
            changes[text] = named_size(value, known(text, value))
        elif isinstance(value, list | tuple):
            items = [
                named_size(v, subscript(known(text, v), i))
                for i, v in enumerate(value)
                if isinstance(v, int)
            ]
            changes[text] = items
    leaves = op.unchecked_copy(**changes).leaves()
    lists = {
        text: [ast.dump(written(size)) for size in sizes]
        for text, sizes in changes.items()
        if isinstance(sizes, list)
    }
    return {n: shape_node(leaf.shape, lists) for n, leaf in leaves.items()}


def shape_node(
    shape: Sequence[Any], lists: Mapping[str, Sequence[str]] | None = None
) -> ast.expr:
    """A shape as source; the sizes of a whole list one behind the other as `*list`.

    Args:
        shape: the sizes.
        lists: what the sizes of lists are written as, by attribute.
    """
    nodes = [*map(written, shape)]
    texts = [ast.dump(node) for node in nodes]
    items: list[ast.expr] = []
    while len(nodes) > (at := len(shape) - len(texts)):
        whole = next((s for s in (lists or {}).values() if s == texts[: len(s)]), [])
        node = nodes[at]
        if whole and isinstance(node, ast.Subscript):
            node = ast.Starred(node.value)
        items.append(node)
        del texts[: len(whole) or 1]
    return ast.Tuple(items)


def filled(op: Op, leaves: Mapping[str, Leaf]) -> Op:
    """The op with the sizes that another node at its path has given."""
    changes: dict[str, Any] = {}
    unknown = op.with_unknown().parameters()
    for array, leaf in unknown.items():
        for position, size in enumerate(leaf.shape):
            for text in getattr(size, "names", ()):
                if getattr(op, text) is None and array in leaves:
                    changes[text] = leaves[array].shape[position]
    return op.unchecked_copy(**changes) if changes else op


def sizes_in(shapes: Mapping[str, ast.expr], op: Op) -> list[str]:
    """The attributes that shapes speak of, in the order of the op's fields."""
    used = set().union(*map(names_in, shapes.values())) if shapes else set()
    return [text for text in type(op).model_fields if text in used]


def given_sizes(layer: Layer, names: Sequence[str]) -> dict[str, ast.expr]:
    """What a node gives for these attributes, in the constructor of its class."""
    numbers = Numbers(layer.plan)
    node = layer.plan.first.function.nodes[layer.step.name]
    op = filled(layer.step.op, layer.leaves)
    found = {}
    for text in names:
        value = getattr(node, text)
        value = getattr(op, text) if value is None else value
        found[text] = numbers.value(value, "int")
    return found


def stored_shapes(
    plan: Plan, step: Step, own: Mapping[str, Leaf]
) -> dict[str, ast.expr]:
    """The shapes of a node's own arrays, in the constructor of its class."""
    numbers = Numbers(plan)
    node = plan.first.function.nodes[step.name]
    changes: dict[str, Any] = {}
    op = filled(step.op, own)
    for text in op.fields().minima:
        value, source = getattr(op, text), getattr(node, text)
        if isinstance(value, int) and isinstance(source, str):
            changes[text] = named_size(value, numbers.value(source, "int"))
        elif isinstance(value, list | tuple) and isinstance(source, list):
            changes[text] = [
                named_size(v, numbers.value(s, "int")) if isinstance(s, str) else v
                for v, s in zip(value, source, strict=True)
            ]
    leaves = op.unchecked_copy(**changes).leaves()
    return {
        n: ast.Tuple([literal(0) if s is None else written(s) for s in leaf.shape])
        for n, leaf in leaves.items()
    }
