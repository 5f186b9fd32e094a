"""Locals that are modules, and the types of modules and state in functions."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from ..nodes import name
from .known import Classes
from .members import Blueprint


class LocalModules:
    """Finds the locals that are given to functions as their parameters."""

    def __init__(self, classes: Classes) -> None:
        self.classes = classes

    def of(self, node: ast.stmt) -> dict[str, Blueprint]:
        """Locals that are given to functions as their parameters."""
        found: dict[str, Blueprint] = {}
        for part in ast.walk(node):
            if isinstance(part, ast.Call) and part.args:
                given = part.args[0]
                if isinstance(given, ast.Call) and ast.unparse(given.func) == "merge":
                    given = given.args[0]
                of = self._called(part.func)
                if of is not None and isinstance(given, ast.Name):
                    found[given.id] = of
        found.pop("params", None)
        return found

    def _called(self, node: ast.expr) -> Blueprint | None:
        """The class whose module the first argument of a function has to be."""
        match node:
            case ast.Name(id=text):
                plan = self.classes.plans.get(text)
                return None if plan is None else self.classes.blueprint(plan)
            case ast.Call(args=[inner, *_]):
                return self._called(inner)
        return None


class Annotations(ast.NodeTransformer):
    """The types of modules and state in place of `Params`."""

    def __init__(
        self, modules: Mapping[int, Mapping[str, Blueprint]], state: str
    ) -> None:
        self.state = state
        self.modules = modules
        """The locals of each function within one that are modules, by its id."""
        self.first: str | None = None

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.stmt:
        modules = self.modules[id(node)]
        for arg in node.args.args:
            found = modules.get(arg.arg) or next(iter(modules.values()), None)
            self.first = found.title if found else None
            if arg.annotation is not None:
                arg.annotation = self.visit(arg.annotation)
        self.first = None
        if node.returns is not None:
            node.returns = self.visit(node.returns)
        node.body = [self.visit(s) for s in node.body]
        return node

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id != "Params":
            return node
        title, self.first = self.first, None
        return name(title or self.state)
