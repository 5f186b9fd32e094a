"""The formula in the docstring of an op, less the terms that no use of it has."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence

from .expressions import is_docstring


def without_terms(body: Sequence[ast.stmt], absent: Iterable[str]) -> list[ast.stmt]:
    """A body whose docstring has no ` + bias` or ` * scale` of operands that are absent."""
    if not body or not is_docstring(body[0]):
        return [*body]
    text = ast.get_docstring(ast.Module([*body], []), clean=False) or ""
    for name in absent:
        text = re.sub(rf" [+*] {re.escape(name)}\b", "", text)
    return [ast.Expr(ast.Constant(text)), *body[1:]]
