"""The last look at a generated file: only what generated files are made of.

Whatever a spec holds, and whatever goes wrong in the generator, the result is a file of
functions over arrays: it reads what it defines, the modules of JAX that compute, a few
builtins and methods, and importing it calls nothing but initialisers.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..schema.diagnostics import BloxError
from ..schema.names import BUILTINS

_NODES = (
    ast.Module, ast.Import, ast.ImportFrom, ast.alias, ast.FunctionDef, ast.arguments,
    ast.arg, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Return, ast.Expr, ast.If,
    ast.For, ast.Raise, ast.Name, ast.Attribute, ast.Subscript, ast.Slice, ast.Call,
    ast.keyword, ast.Tuple, ast.List, ast.Dict, ast.BinOp, ast.UnaryOp, ast.BoolOp,
    ast.Compare, ast.IfExp, ast.Lambda, ast.Constant, ast.Starred, ast.GeneratorExp,
    ast.ListComp, ast.DictComp, ast.comprehension, ast.JoinedStr, ast.FormattedValue,
    ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.expr_context,
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
_MODULES = ("jax", "jnp", "math", "zlib")
_OF_JAX = {
    "checkpoint", "checkpoint_policies", "lax", "nn", "random", "tree", "vmap",
}  # fmt: skip
_BUILTINS = {
    "ValueError", "abs", "all", "any", "bool", "dict", "enumerate", "float", "int",
    "isinstance", "iter", "len", "list", "max", "min", "next", "range", "reversed",
    "sorted", "str", "sum", "tuple", "zip",
}  # fmt: skip
_TAKEN = {*BUILTINS, *_BUILTINS, *_MODULES}
_METHODS = {
    *("append", "encode", "get", "glob", "isdigit", "items", "join", "partition"),
    *("setdefault", "split", "startswith", "strip", "values"),  # of text, dicts, paths
    *("T", "astype", "dtype", "ndim", "reshape", "shape", "size", "transpose"),
}
_INITIALISERS = "jax.nn.initializers."


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
    for line, problem in _problems(tree):
        raise GenerationError.one(
            "generate", f"line {line}", f"expected model code, found {problem}"
        )


def _problems(tree: ast.Module) -> Iterator[tuple[int, str]]:
    known = {*_bound(tree), *_BUILTINS}
    for node in ast.walk(tree):
        problem = _problem(node, known)
        if problem:
            yield getattr(node, "lineno", 0), problem
    for statement in tree.body:
        for call in _called_at_import(statement):
            yield call.lineno, f"a call at import of {ast.unparse(call.func)}"


def _bound(tree: ast.Module) -> Iterator[str]:
    """The names that the file itself gives a value to, somewhere."""
    for node in ast.walk(tree):
        match node:
            case ast.alias(name=name, asname=other):
                yield other or name
            case ast.FunctionDef(name=name) | ast.arg(arg=name):
                yield name
            case ast.Name(id=name, ctx=ast.Store()):
                yield name


def _problem(node: ast.AST, known: set[str]) -> str:
    match node:
        case ast.Import(names=names):
            for alias in names:
                text = ast.unparse(ast.Import([alias]))
                if text not in IMPORTS:
                    return text
        case ast.ImportFrom(names=names):
            for alias in names:
                text = ast.unparse(ast.ImportFrom(node.module, [alias], node.level))
                if text not in IMPORTS:
                    return text
        case ast.FunctionDef(decorator_list=[_, *_]):
            return "a decorator"
        case (
            ast.FunctionDef(name=name)
            | ast.arg(arg=name)
            | ast.Name(id=name, ctx=ast.Store())
        ) if name.startswith("__") or name in _TAKEN:
            return f"a new meaning of {name}"
        case ast.Name(id=name) if name not in known:
            return name
        case ast.Attribute():
            return _attribute(node)
        case ast.Subscript(value=value, ctx=ast.Store()) if not _is_local(value):
            return f"a new part of {ast.unparse(value)}"
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="append"))):
            return ""
        case ast.Expr(value=value) if not isinstance(value, ast.Constant):
            return f"a bare {ast.unparse(value)}"
        case ast.FormattedValue(value=value) if not isinstance(value, ast.Name):
            return f"{{{ast.unparse(value)}}} in an f-string"
    return "" if isinstance(node, _NODES) else type(node).__name__


def _attribute(node: ast.Attribute) -> str:
    """What is wrong with `value.attr`."""
    if not isinstance(node.ctx, ast.Load):
        return f"a new meaning of {ast.unparse(node)}"
    path = ast.unparse(node).split(".")
    if path[0] not in _MODULES:
        return "" if node.attr in _METHODS else f".{node.attr}"
    within = path[0] != "jax" or path[1] in _OF_JAX
    public = not any(part.startswith("_") for part in path)
    return "" if within and public and node.attr not in _FILES else ".".join(path)


_FILES = {"load", "save", "savez", "fromfile", "frombuffer", "from_dlpack"}
"""Functions of `jax.numpy` that reach beyond arrays."""


def _is_local(node: ast.expr) -> bool:
    """A name of the file, or a part of one."""
    while isinstance(node, ast.Subscript | ast.Call | ast.Attribute):
        node = node.func if isinstance(node, ast.Call) else node.value
    return isinstance(node, ast.Name) and node.id not in _MODULES


def _called_at_import(node: ast.AST) -> Iterator[ast.Call]:
    """The calls of a statement of the module, but for those of every file."""
    match node:
        case ast.FunctionDef(args=arguments, returns=returns):
            for part in (arguments, returns):
                yield from _called_at_import(part) if part else ()
            return
        case ast.Call(func=function):
            text = ast.unparse(function)
            table = isinstance(function, ast.Attribute) and (
                function.attr in ("items", "strip")
            )
            if not (table or text.startswith(_INITIALISERS)):
                yield node
    for child in ast.iter_child_nodes(node):
        yield from _called_at_import(child)
