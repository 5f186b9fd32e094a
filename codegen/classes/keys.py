"""The keys that a constructor draws arrays with, and hands on to modules."""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod

from ..nodes import assign, call, literal, name


class Keys(ABC):
    """The keys of one constructor."""

    @abstractmethod
    def array(self) -> ast.expr:
        """A key for an array."""

    @abstractmethod
    def module(self) -> ast.expr:
        """A key for a module, or for several."""

    def finish(self, body: list[ast.stmt]) -> list[ast.stmt]:
        """The body of the constructor, with what makes its keys."""
        return body or [ast.Pass()]


class Streams(Keys):
    """`nnx.Rngs`, which count themselves."""

    def array(self) -> ast.expr:
        return call("rngs.params")

    def module(self) -> ast.expr:
        return name("rngs")


class Split(Keys):
    """Keys that `jax.random.split` makes of one, which is taken itself if it is enough."""

    def __init__(self) -> None:
        self.made: list[ast.Subscript] = []

    def array(self) -> ast.expr:
        key = ast.Subscript(name("keys"), literal(len(self.made)))
        self.made.append(key)
        return key

    def module(self) -> ast.expr:
        return self.array()

    def finish(self, body: list[ast.stmt]) -> list[ast.stmt]:
        if len(self.made) == 1:
            body = [_Only(self.made[0]).visit(s) for s in body]
        elif self.made:
            split = call("jax.random.split", [name("key"), literal(len(self.made))])
            body = [assign("keys", split), *body]
        return super().finish(body)


class _Only(ast.NodeTransformer):
    """The key itself in place of the one that is made of it."""

    def __init__(self, only: ast.Subscript) -> None:
        self.only = only

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        if node is self.only:
            return name("key")
        self.generic_visit(node)
        return node
