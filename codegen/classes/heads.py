"""The heads of methods."""

from __future__ import annotations

import ast
from collections.abc import Container


def put_self(node: ast.FunctionDef, known: Container[str]) -> None:
    """`self` in place of `params`; attributes that modules know are not given."""
    arguments = node.args
    rest = [a for a in arguments.args if a.arg != "params"]
    arguments.args = [ast.arg("self"), *rest]
    pairs = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    kept = [(a, default) for a, default in pairs if a.arg not in known]
    arguments.kwonlyargs = [a for a, _ in kept]
    arguments.kw_defaults = [default for _, default in kept]
