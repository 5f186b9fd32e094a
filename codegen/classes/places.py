"""Parts of `params` in the functions of a file, as parts of modules."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from ..nodes import name
from .members import Blueprint, Group, Layer, Part, Stored

Kind: TypeAlias = "Blueprint | Layer | Stored | Part | Group"
"""What lies at a place: of a `Part` its copies, in a list."""


@dataclass(frozen=True)
class Place:
    """A module, a list or dict of them, or an array."""

    node: ast.expr
    kind: Kind
    layer: Layer | None = None
    """That of an array that is one of a layer's."""

    @property
    def is_array(self) -> bool:
        return isinstance(self.kind, Stored)


def place_of(
    node: ast.expr, own: Blueprint, locals_: Mapping[str, Blueprint]
) -> Place | None:
    """The place of `params["a"]["b"]`, None of anything else.

    Args:
        node: an expression of a function that takes `params`.
        own: the class of the function.
        locals_: names of modules in it.
    """
    match node:
        case ast.Name(id="params"):
            return Place(name("self"), own)
        case ast.Name(id=text) if text in locals_:
            return Place(node, locals_[text])
        case ast.Subscript(value=value, slice=ast.Constant(value=str() | int() as key)):
            outer = place_of(value, own, locals_)
            return None if outer is None else _within(outer, key)
    return None


def _within(outer: Place, key: str | int) -> Place:
    member: Kind
    match outer.kind:
        case Blueprint(members=members):
            member = members[str(key)]
        case Layer(leaves=leaves) as layer:
            array = Stored(leaves[str(key)], outer.node)
            return Place(ast.Attribute(outer.node, str(key)), array, layer)
        case dict() as group:
            item = ast.Subscript(outer.node, ast.Constant(key))
            return Place(item, _kind(group[str(key)]))
        case Part(of=of):
            return Place(ast.Subscript(outer.node, ast.Constant(key)), of)
        case _:
            raise ValueError(f"no part {key!r} of an array")
    return Place(ast.Attribute(outer.node, str(key)), _kind(member))


def _kind(member: Kind) -> Kind:
    """What a member is to those who use it: one of a class, or a list of such."""
    if isinstance(member, Part) and member.layout != "listed":
        return member.of
    return member
