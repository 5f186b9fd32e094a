"""The last look at a generated file: only what generated files are made of.

Whatever a spec holds, and whatever goes wrong in the generator, the result is a file of
functions over arrays: it reads what it defines, what its ops do in the library, and the
little that calls, loops and the end of a file need; importing it calls nothing but
initialisers.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import get_args

from ..schema.diagnostics import BloxError
from ..schema.dtypes import DType
from ..schema.initializers import DRAWN_BY
from ..schema.names import BUILTINS
from ..schema.syntax import parsed
from .library.allowed import Allowed, chains
from .walk import children, walk

_NODES = (
    ast.Module, ast.Import, ast.ImportFrom, ast.alias, ast.FunctionDef, ast.arguments,
    ast.arg, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Return, ast.Expr, ast.If,
    ast.For, ast.Raise, ast.Name, ast.Attribute, ast.Subscript, ast.Slice, ast.Call,
    ast.keyword, ast.Tuple, ast.List, ast.Dict, ast.BinOp, ast.UnaryOp, ast.BoolOp,
    ast.Compare, ast.IfExp, ast.Lambda, ast.Constant, ast.Starred, ast.GeneratorExp,
    ast.ListComp, ast.SetComp, ast.DictComp, ast.comprehension, ast.JoinedStr,
    ast.FormattedValue, ast.operator, ast.unaryop, ast.boolop, ast.cmpop,
    ast.expr_context, ast.Try, ast.ExceptHandler,
)  # fmt: skip
_IMPORTS = (ast.Import, ast.ImportFrom)
BASE = Allowed(
    imports={
        "Callable": "from collections.abc import Callable",
        "partial": "from functools import partial",
        "Any": "from typing import Any",
        "Literal": "from typing import Literal",
        "jax": "import jax",
        "jnp": "import jax.numpy as jnp",
        "Array": "from jax import Array",
        "max_dim": "from jax.core import max_dim",
        "min_dim": "from jax.core import min_dim",
    },
    paths=frozenset(
        {
            *(f"jnp.{name}" for name in (*get_args(DType), "bool_") if name != "float"),
            "jnp.asarray",
            "jnp.equal",
            "jnp.inf",
            "jnp.nan",
            "jnp.not_equal",
            *DRAWN_BY,
        }
    ),
    attributes=frozenset(
        """
        astype dtype fromkeys shape
        """.split()  # noqa: SIM905
    ),
    builtins=frozenset(
        """
        ValueError bool dict float int max min range str tuple
        """.split()  # noqa: SIM905
    ),
)
"""What functions and tables are made of; ops, loops and the tail add what they are."""

_INITIALISERS = "jax.nn.initializers."
_AT_IMPORT = ("partial", "range", "min", "max", "dict.fromkeys")
_IN_CLASSES = ("TypeVar", "eqx.field")
"""What tables and defaults of a file call beside initialisers."""


class GenerationError(BloxError):
    """The generator would have written what no generated file may hold."""


def check(source: str, ops: Allowed, *, classes: bool = False) -> None:
    """Parses a generated file and holds it to the allow-list.

    Args:
        source: the file.
        ops: what the sources of its ops speak of, and what its loops are made of.
        classes: whether it may define classes, whose methods set parts of `self`.

    Raises:
        GenerationError: naming the line and what stands there.
    """
    try:
        tree = parsed(source)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise GenerationError.one(
            "generate", "", f"the file doesn't parse: {error}"
        ) from None
    for line, problem in _Check(tree, ops, classes=classes).problems():
        raise GenerationError.one(
            "generate", f"line {line}", f"expected model code, found {problem}"
        )


def unwritable(function: ast.FunctionDef) -> str:
    """What no generated file is made of, of a function; nothing where all is well."""
    for node in walk(function):
        if isinstance(node, ast.FunctionDef) and node.decorator_list:
            return "a decorator"
        known = isinstance(node, _NODES) and not isinstance(node, _IMPORTS)
        more = isinstance(node, ast.Try) and (node.orelse or node.finalbody)
        if getattr(node, "type_params", None) or more or not known:
            return type(node).__name__
        if isinstance(node, ast.comprehension) and node.is_async:
            return "async"
    return ""


class _Check:
    """One look at a file."""

    def __init__(
        self, tree: ast.Module, ops: Allowed, *, classes: bool = False
    ) -> None:
        allowed = BASE | ops
        self.classes = classes
        self.fields = {
            id(statement.target)
            for node in ast.walk(tree)
            if isinstance(node, ast.ClassDef)
            for statement in node.body
            if isinstance(statement, ast.AnnAssign)
        }
        """What classes say of their attributes: names that hide nothing."""
        self.tree = tree
        self.nodes = walk(tree)
        self.lines = set(allowed.imports.values())
        self.imported = allowed.imports.keys()
        self.modules = {path.partition(".")[0] for path in allowed.paths}
        self.paths, self.attributes = allowed.paths, allowed.attributes
        self.known = {*_bound(self.nodes), *allowed.builtins}
        self.taken = {*BUILTINS, *allowed.builtins, *self.modules}

    def problems(self) -> Iterator[tuple[int, str]]:
        for node in self.nodes:
            problem = self._problem(node)
            if problem:
                yield getattr(node, "lineno", 0), problem
        for root, parts in chains(self.tree):
            path = ".".join([root, *parts])
            if problem := self._attributes(root, parts):
                yield _line(self.tree, path), problem
        plain: set[str] = set()
        for statement in self.tree.body:
            for call in _called_at_import(statement, plain):
                if self.classes and ast.unparse(call.func) in _IN_CLASSES:
                    continue
                yield call.lineno, f"a call at import of {ast.unparse(call.func)}"

    def _problem(self, node: ast.AST) -> str:
        if self.classes and self._of_class(node):
            return ""
        match node:
            case ast.Constant() | ast.Call() | ast.keyword() | ast.Tuple() | ast.Dict():
                return ""  # most of a file
            case ast.Import(names=names):
                for alias in names:
                    text = ast.unparse(ast.Import([alias]))
                    if text not in self.lines:
                        return text
            case ast.ImportFrom(names=names):
                for alias in names:
                    text = ast.unparse(ast.ImportFrom(node.module, [alias], node.level))
                    if text not in self.lines:
                        return text
            case ast.FunctionDef(decorator_list=[_, *_]):
                return "a decorator"
            case (
                ast.FunctionDef(name=name)
                | ast.arg(arg=name)
                | ast.ExceptHandler(name=str() as name)
                | ast.Name(id=name, ctx=ast.Store())
            ) if name.startswith("__") or name in self.taken:
                return f"a new meaning of {name}"
            case ast.Name(id=name) if name not in self.known:
                return name
            case ast.Attribute() if not isinstance(node.ctx, ast.Load):
                return f"a new meaning of {ast.unparse(node)}"
            case ast.Subscript(value=value, ctx=ast.Store()) if not self._is_local(
                value
            ):
                return f"a new part of {ast.unparse(value)}"
            case ast.Expr(value=ast.Call(func=ast.Attribute(attr="append" | "insert"))):
                return ""
            case ast.Expr(value=value) if not isinstance(value, ast.Constant):
                return f"a bare {ast.unparse(value)}"
            case ast.FormattedValue(value=value) if not _is_dotted(value):
                return f"{{{ast.unparse(value)}}} in an f-string"
        return "" if isinstance(node, _NODES) else type(node).__name__

    def _of_class(self, node: ast.AST) -> bool:
        """True of what classes are made of, and functions are not."""
        match node:
            case ast.ClassDef(decorator_list=[], keywords=[]) | ast.Pass():
                return True
            case ast.FunctionDef(name="__init__" | "__call__", decorator_list=[]):
                return True
            case ast.Attribute(value=ast.Name(id="self"), ctx=ast.Store()):
                return True
            case ast.Expr(value=ast.Call(func=func)):
                return ast.unparse(func) in self.paths
            case ast.Name():
                return id(node) in self.fields
        return False

    def _attributes(self, root: str, parts: list[str]) -> str:
        """What is wrong with `root.part.part`."""
        path = ".".join([root, *parts])
        if self.classes and parts[-1] == "__call__":
            parts = parts[:-1]
        if any(part.startswith("_") for part in parts):
            return path
        if root in self.imported:
            known = path in self.paths or path.startswith(_INITIALISERS)
            return "" if known else path
        unknown = [part for part in parts if part not in self.attributes]
        return f".{unknown[0]}" if unknown else ""

    def _is_local(self, node: ast.expr) -> bool:
        """A name of the file, or a part of one."""
        while isinstance(node, ast.Subscript | ast.Call | ast.Attribute):
            node = node.func if isinstance(node, ast.Call) else node.value
        return isinstance(node, ast.Name) and node.id not in self.modules


def _is_dotted(node: ast.expr) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


def _line(tree: ast.Module, path: str) -> int:
    """The line of the first such attributes."""
    last = path.rpartition(".")[2]
    found = (n for n in walk(tree) if isinstance(n, ast.Attribute))
    return next((n.lineno for n in found if n.attr == last), 0)


def _bound(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """The names that the file itself gives a value to, somewhere."""
    for node in nodes:
        match node:
            case ast.alias(name=name, asname=other):
                yield other or name
            case ast.FunctionDef(name=name) | ast.arg(arg=name):
                yield name
            case ast.ClassDef(name=name):
                yield name
            case ast.ExceptHandler(name=str(name)):
                yield name
            case ast.Name(id=name, ctx=ast.Store()):
                yield name


def _called_at_import(node: ast.AST, plain: set[str]) -> Iterator[ast.Call]:
    """The calls of a statement of the module, but for those of every file.

    Args:
        node: the statement, or a part of one.
        plain: the functions before it that are one expression with such calls alone.
    """
    match node:
        case ast.FunctionDef(args=arguments, returns=returns):
            for part in (arguments, returns):
                yield from _called_at_import(part, plain) if part else ()
            match node.body:
                case [ast.Return(value=ast.expr() as value)]:
                    if not any(_called_at_import(value, plain)):
                        plain.add(node.name)
            return
        case ast.Call(func=function):
            text = ast.unparse(function)
            known = text in _AT_IMPORT or text in plain
            if not known and not text.startswith(_INITIALISERS):
                yield node
    for child in children(node):
        yield from _called_at_import(child, plain)
