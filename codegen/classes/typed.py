"""Returns of methods, whose values have the type that the method says."""

from __future__ import annotations

import ast

from ..nodes import annotated, name, names_in


class TypedReturns(ast.NodeTransformer):
    """What a method returns gets its type from a local where a library says none."""

    def __init__(self) -> None:
        self.untyped: set[int] = set()
        """The calls, by id, that are of any type."""
        self.loose: set[str] = set()
        """Locals that are of any type."""
        self.arguments: set[str] = set()
        """Those of the function, which have types."""
        self.taken: set[str] = set()
        """The names of the function."""

    def start(self, function: ast.FunctionDef) -> None:
        """Looks at a function before it is changed."""
        arguments = {n.arg for n in ast.walk(function) if isinstance(n, ast.arg)}
        self.taken = names_in(function) | arguments
        own = (*function.args.args, *function.args.kwonlyargs)
        self.arguments = {argument.arg for argument in own}

    def fresh(self, text: str) -> str:
        """A name that nothing else in the function has."""
        while text in self.taken:
            text += "_"
        self.taken.add(text)
        return text

    def returns(self, value: ast.expr) -> list[ast.stmt]:
        """A `return` of one array."""
        if not self._is_untyped(value):
            return [ast.Return(value)]
        text = self.fresh("out")
        return [annotated(text, "Array", value), ast.Return(name(text))]

    def _is_untyped(self, node: ast.expr) -> bool:
        match node:
            case ast.Call() if id(node) in self.untyped:
                return True
            case ast.Name(id=text):
                return text in self.loose
            case ast.BinOp(left=left, right=right):
                return self._is_untyped(left) or self._is_untyped(right)
            case ast.Subscript(value=inner):
                return self._is_untyped(inner)
            case ast.Call(func=ast.Attribute(value=inner)) | ast.Attribute(value=inner):
                return self._is_untyped(inner)
        return False


def given_names(node: ast.FunctionDef | ast.Lambda) -> set[str]:
    """The names that a function gives a value to: its arguments, and targets."""
    found = {n.arg for n in ast.walk(node.args) if isinstance(n, ast.arg)}
    for part in ast.walk(node):
        if isinstance(part, ast.Assign):
            found |= names_in(part.targets[0])
    return found
