"""What a function speaks of: attributes in what is written, values in its steps."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from ...schema.resolve.program import Arg, Step
from ..nodes import Keyword
from ..walk import walk


def keywords_in(body: Sequence[ast.stmt]) -> set[str]:
    """The attributes of a function that its body speaks of."""
    return {
        node.id
        for statement in body
        for node in walk(statement)
        if isinstance(node, Keyword)
    }


def uses_of(steps: Sequence[Step], outputs: Sequence[Arg]) -> dict[str, int]:
    """How often each source is read."""
    counts: dict[str, int] = {}
    for arg in (*(a for s in steps for a in s.arguments()), *outputs):
        if arg.source is not None:
            counts[arg.source] = counts.get(arg.source, 0) + 1
    return counts
