"""Python `ast` nodes as text that `ruff format` leaves as it is, without needing ruff.

The generator builds nodes and never pastes text together: whatever names and strings a
spec holds, the result is ASCII, parses to the same tree (docstrings: up to
indentation), and is laid out as ruff's default settings would do it (88 columns, double
quotes), also where a name of 64 characters leaves no good place to break.

Supported is what generated files use. Expressions: Name, Attribute, Subscript, Slice,
Call, Tuple, List, Dict, BinOp, UnaryOp, BoolOp, Compare, IfExp, Lambda, Constant (not
bytes, not complex), Starred and comprehensions without `if`. Statements: Assign to one
target, AnnAssign, AugAssign, Return, Expr, If, For, FunctionDef, Raise, Pass. Anything
else, and a name that is no identifier, is a ValueError. Negative constants are written
as a sign and a number.

Known differences: an annotation that is itself a `lambda` may be laid out otherwise.
How deep a tree may be is limited by recursion, as it is in Python's own parser.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from .brackets import one_line
from .documents import Doc
from .expressions import expression_doc
from .layout import INDENT, render
from .literals import docstring
from .statements import for_target, function_head, simple_statement, value_doc


def expression(node: ast.expr) -> str:
    """Print an expression on one line, however long.

    Raises:
        ValueError: the node is outside the supported set, or holds inf or nan.
    """
    return one_line(expression_doc(node, None))


def statement(node: ast.stmt, indent: int = 0) -> list[str]:
    """Print a statement as lines without line ends, `indent` levels of 4 spaces deep.

    Raises:
        ValueError: the node is outside the supported set, or holds inf or nan.
    """
    return _statement(node, indent)


def body(nodes: Sequence[ast.stmt], indent: int) -> list[str]:
    """Print statements in order, with ruff's blank lines around functions.

    At `indent` 0 they are a module, deeper the body of a function.

    Raises:
        ValueError: a node is outside the supported set, or holds inf or nan.
    """
    return _body(nodes, indent)


def _body(nodes: Sequence[ast.stmt], indent: int, block: bool = False) -> list[str]:
    """Print a body; a function that opens a `block` (an if, a for) is set off."""
    lines: list[str] = []
    before: ast.stmt | None = None
    for index, node in enumerate(nodes):
        function = isinstance(node, ast.FunctionDef)
        if before is None:
            empty = int(block and function)
        elif function or _ends_in_function(before):
            empty = 2 if indent == 0 else 1
        else:
            empty = int(indent == 0 and index == 1 and _is_docstring(before))
        lines += [""] * empty + _statement(node, indent)
        before = node
    return lines


def _ends_in_function(node: ast.stmt) -> bool:
    match node:
        case ast.If() | ast.For():
            return _ends_in_function((node.orelse or node.body)[-1])
        case _:
            return isinstance(node, ast.FunctionDef)


def _is_docstring(node: ast.stmt) -> bool:
    match node:
        case ast.Expr(ast.Constant(str())):
            return True
        case _:
            return False


def _statement(node: ast.stmt, indent: int) -> list[str]:
    match node:
        case ast.Expr(ast.Constant(str(text))):
            return docstring(text, INDENT * indent)
        case ast.FunctionDef(body=nodes):
            return [*render(function_head(node), indent), *_body(nodes, indent + 1)]
        case ast.If():
            return _if(node, indent, "if ")
        case ast.For(target, iterable, nodes, []):
            doc: Doc = ("for ", for_target(target), " in ", value_doc(iterable), ":")
            return [*render(doc, indent), *_body(nodes, indent + 1, block=True)]
        case _:
            return render(simple_statement(node), indent)


def _if(node: ast.If, indent: int, keyword: str) -> list[str]:
    lines = render((keyword, value_doc(node.test), ":"), indent)
    lines += _body(node.body, indent + 1, block=True)
    match node.orelse:
        case []:
            return lines
        case [ast.If() as other]:
            return lines + _if(other, indent, "elif ")
        case orelse:
            lines += render("else:", indent)
            return lines + _body(orelse, indent + 1, block=True)
