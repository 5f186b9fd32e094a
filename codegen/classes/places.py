"""Parts of `params` in the functions of a file, as parts of modules."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from ..nodes import name
from .members import Blueprint, Group, Layer, Part, Stored, is_mixed

Kind: TypeAlias = "Blueprint | Layer | Stored | Part | Group"
"""What lies at a place: of a `Part` its copies, in a list."""


@dataclass(frozen=True)
class Place:
    """A module, a list or dict of them, or an array."""

    node: ast.expr
    kind: Kind
    layer: Layer | None = None
    """That of an array that is one of a layer's."""
    loose: bool = False
    """True below modules of several kinds, of which type checkers know nothing."""

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
    loose = outer.loose
    match outer.kind:
        case Blueprint(members=members):
            member = members[str(key)]
        case Layer(leaves=leaves) as layer:
            array = Stored(leaves[str(key)], outer.node)
            node = ast.Attribute(outer.node, str(key))
            return Place(node, array, layer, loose)
        case dict() as group:
            item = ast.Subscript(outer.node, ast.Constant(key))
            return Place(item, _kind(group[str(key)]), None, loose or is_mixed(group))
        case Part(of=of):
            item = ast.Subscript(outer.node, ast.Constant(key))
            return Place(item, of, None, loose)
        case _:
            raise ValueError(f"no part {key!r} of an array")
    return Place(ast.Attribute(outer.node, str(key)), _kind(member), None, loose)


def _kind(member: Kind) -> Kind:
    """What a member is to those who use it: one of a class, or a list of such."""
    if isinstance(member, Part) and member.layout != "listed":
        return member.of
    return member
