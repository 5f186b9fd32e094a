"""Python's own parser, one thread at a time.

CPython 3.11 counts the depth of trees of all threads together, so that two that parse at
once may end in a SystemError.
"""

from __future__ import annotations

import ast
from threading import Lock

_LOCK = Lock()


def parsed(text: str) -> ast.Module:
    """The tree of a module.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: as of `ast.parse`.
    """
    with _LOCK:
        return ast.parse(text)


def parsed_expression(text: str) -> ast.expr:
    """The tree of one expression; raises as `parsed`."""
    with _LOCK:
        return ast.parse(text, mode="eval").body
