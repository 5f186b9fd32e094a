"""The docstring of a function: its `doc`, of an entry also its shapes and outputs."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator

from ...schema.content import Output, type_text
from ..plan import Module, Plan
from .shapes import COLUMNS, shapes_line


def docstring(module: Module, plan: Plan) -> list[ast.stmt]:
    """A docstring as a statement; nothing where there is nothing to say."""
    function = plan.first.function
    parts = [function.doc.strip()]
    if plan.is_entry:
        parts.append(shapes_line(module, plan))
        if returns := list(_returns(plan)):
            if not any(parts):
                parts.append(f"Computes {', '.join(function.outputs)}.")
            parts.append("\n".join(["Returns:", *returns]))
    text = "\n\n".join(part for part in parts if part)
    return [ast.Expr(ast.Constant(text))] if text else []


def _returns(plan: Plan) -> Iterator[str]:
    for name, output in plan.first.function.outputs.items():
        if output.is_bare:
            continue
        label = f"{name}: " if plan.returns_dict else ""
        yield from textwrap.wrap(
            label + _said(output),
            COLUMNS,
            initial_indent=" " * 4,
            subsequent_indent=" " * 8,
            break_long_words=False,
            break_on_hyphens=False,
        )


def _said(output: Output) -> str:
    """`float[batch, 8], the next value of h, which is zero at the start. The doc.`"""
    facts = [type_text(output)]
    if output.next:
        facts.append(f"the next value of {output.next}, which is zero at the start")
    line = ", ".join(fact for fact in facts if fact)
    return f"{f'{line}. ' if line else ''}{' '.join(output.doc.split())}".strip()
