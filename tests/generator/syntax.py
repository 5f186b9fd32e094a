"""Expressions as syntax trees."""

from __future__ import annotations

import ast


def tree(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body
