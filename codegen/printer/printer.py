"""Python `ast` nodes as text that `ruff format` leaves as it is, without needing ruff.

The generator builds nodes and never pastes text together: whatever names and strings a
spec holds, the result is ASCII, parses to the same tree (docstrings: up to
indentation), and is laid out as ruff's default settings would do it (88 columns, double
quotes), also where a name of 64 characters leaves no good place to break.

Supported is what generated files use. Expressions: Name, Attribute, Subscript, Slice,
Call, Tuple, List, Dict, BinOp, UnaryOp, BoolOp, Compare, IfExp, Lambda, Constant (not
bytes, not complex), Starred and comprehensions. Statements: Assign to one
target, AnnAssign, AugAssign, Return, Expr, If, For, FunctionDef, ClassDef, Raise, Pass.
Anything else, and a name that is no identifier, is a ValueError. Negative constants are written
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
from .layout import INDENT, LINE_WIDTH, lines_of
from .literals import docstring
from .remarks import remarks
from .statements import (
    class_head,
    for_target,
    function_head,
    simple_statement,
    value_doc,
)

_DEFINITIONS = (ast.FunctionDef, ast.ClassDef)


def render(
    nodes: ast.expr | Sequence[ast.stmt], indent: int = 0, width: int = LINE_WIDTH
) -> str:
    """The text of an expression or of statements.

    Args:
        nodes: an expression, which becomes one line, however long; or statements in
            order, with ruff's blank lines around functions: a module at `indent` 0,
            deeper the body of a function.
        indent: levels of four spaces in front of each line of the statements.
        width: columns of a line, where there is a way to keep to them.

    Returns:
        Text without a line end at its end.

    Raises:
        ValueError: a node is outside the supported set, or holds inf or nan.
    """
    if isinstance(nodes, ast.expr):
        return one_line(expression_doc(nodes, None))
    return "\n".join(_Statements(width).body(nodes, indent))


class _Statements:
    """Statements as lines of at most `width` columns where that is possible."""

    def __init__(self, width: int) -> None:
        self.width = width

    def body(
        self, nodes: Sequence[ast.stmt], indent: int, block: bool = False
    ) -> list[str]:
        """Print a body; a function that opens a `block` (an if, a for) is set off."""
        lines: list[str] = []
        before: ast.stmt | None = None
        for index, node in enumerate(nodes):
            function = isinstance(node, _DEFINITIONS)
            if before is None:
                empty = int(block and function)
            elif function or _ends_in_function(before):
                empty = 2 if indent == 0 else 1
            else:
                empty = int(indent == 0 and index == 1 and _is_docstring(before))
            beside = remarks(node)
            lines += [""] * empty + [" " * INDENT * indent + c for c in beside.comments]
            lines += self.statement(node, indent)
            lines[-1] += f"  {beside.pragma}" if beside.pragma else ""
            before = node
        return lines

    def statement(self, node: ast.stmt, indent: int) -> list[str]:
        match node:
            case ast.Expr(ast.Constant(str(text))):
                return docstring(text, INDENT * indent)
            case ast.FunctionDef(body=nodes):
                return [
                    *lines_of(function_head(node), indent, self.width),
                    *self.body(nodes, indent + 1),
                ]
            case ast.ClassDef(body=nodes):
                lines = lines_of(class_head(node), indent, self.width)
                if len(nodes) > 1 and _is_docstring(nodes[0]):
                    lines += [*self.body(nodes[:1], indent + 1), ""]
                    nodes = nodes[1:]
                return lines + self.body(nodes, indent + 1)
            case ast.If():
                return self._if(node, indent, "if ")
            case ast.For(target, iterable, nodes, []):
                doc: Doc = (
                    "for ",
                    for_target(target),
                    " in ",
                    value_doc(iterable),
                    ":",
                )
                return [
                    *lines_of(doc, indent, self.width),
                    *self.body(nodes, indent + 1, block=True),
                ]
            case ast.Try(nodes, handlers, [], []):
                lines = [" " * INDENT * indent + "try:", *self.body(nodes, indent + 1)]
                for handler in handlers:
                    lines += self._handler(handler, indent)
                return lines
            case _:
                return lines_of(simple_statement(node), indent, self.width)

    def _handler(self, node: ast.ExceptHandler, indent: int) -> list[str]:
        kind: Doc = (" ", value_doc(node.type)) if node.type else ""
        doc: Doc = ("except", kind, f" as {node.name}:" if node.name else ":")
        return [*lines_of(doc, indent, self.width), *self.body(node.body, indent + 1)]

    def _if(self, node: ast.If, indent: int, keyword: str) -> list[str]:
        lines = lines_of((keyword, value_doc(node.test), ":"), indent, self.width)
        lines += self.body(node.body, indent + 1, block=True)
        match node.orelse:
            case []:
                return lines
            case [ast.If() as other]:
                return lines + self._if(other, indent, "elif ")
            case orelse:
                lines += lines_of("else:", indent, self.width)
                return lines + self.body(orelse, indent + 1, block=True)


def _ends_in_function(node: ast.stmt) -> bool:
    match node:
        case ast.If() | ast.For():
            return _ends_in_function((node.orelse or node.body)[-1])
        case _:
            return isinstance(node, _DEFINITIONS)


def _is_docstring(node: ast.stmt) -> bool:
    match node:
        case ast.Expr(ast.Constant(str())):
            return True
        case _:
            return False
