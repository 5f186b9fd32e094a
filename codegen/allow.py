"""The last look at a generated file: only what generated files are made of."""

from __future__ import annotations

import ast

from ..schema.errors import BloxError

_NODES = (
    ast.Module, ast.Import, ast.ImportFrom, ast.alias, ast.FunctionDef, ast.arguments,
    ast.arg, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Return, ast.Expr, ast.If,
    ast.For, ast.Raise, ast.Name, ast.Attribute, ast.Subscript, ast.Slice, ast.Call,
    ast.keyword, ast.Tuple, ast.List, ast.Dict, ast.Set, ast.BinOp, ast.UnaryOp,
    ast.BoolOp, ast.Compare, ast.IfExp, ast.Lambda, ast.Constant, ast.Starred,
    ast.GeneratorExp, ast.ListComp, ast.DictComp, ast.comprehension, ast.JoinedStr,
    ast.FormattedValue, ast.operator, ast.unaryop, ast.boolop, ast.cmpop,
    ast.expr_context, ast.While, ast.Break, ast.Continue, ast.Assert,
)  # fmt: skip
IMPORTS = {
    "import jax",
    "import jax.numpy as jnp",
    "import math",
    "import zlib",
    "from collections.abc import Callable",
    "from collections.abc import Sequence",
    "from functools import partial",
    "from functools import reduce",
    "from jax import Array",
    "from pathlib import Path",
    "from safetensors.flax import load_file",
    "from typing import Any",
    "from typing import Literal",
}
_FORBIDDEN = {
    "eval", "exec", "compile", "open", "getattr", "setattr", "delattr", "globals",
    "locals", "vars", "input", "breakpoint", "memoryview",
}  # fmt: skip


class GenerationError(BloxError):
    """The generator would have written what no generated file may hold."""


def check(source: str) -> None:
    """Parses a generated file and holds it to the allow-list.

    Raises:
        GenerationError: naming the line and what stands there.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise GenerationError.one(
            "generate", "", f"the file doesn't parse: {error}"
        ) from None
    for node in ast.walk(tree):
        problem = _problem(node)
        if problem:
            line = getattr(node, "lineno", 0)
            raise GenerationError.one(
                "generate", f"line {line}", f"expected model code, found {problem}"
            )


def _problem(node: ast.AST) -> str:
    match node:
        case ast.Import(names=names):
            for alias in names:
                text = f"import {alias.name}" + (
                    f" as {alias.asname}" if alias.asname else ""
                )
                if text not in IMPORTS:
                    return text
        case ast.ImportFrom(module=module, names=names):
            for alias in names:
                if f"from {module} import {alias.name}" not in IMPORTS or alias.asname:
                    return f"from {module} import {alias.name}"
        case ast.Name(id=text) if text in _FORBIDDEN or text.startswith("__"):
            return text
        case ast.Attribute(attr=text) if text.startswith("_"):
            return text
        case ast.FunctionDef(decorator_list=[_, *_]):
            return "a decorator"
    return "" if isinstance(node, _NODES) else type(node).__name__
