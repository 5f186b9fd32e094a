"""Syntax trees as text that `ruff format` leaves as it is, without needing ruff."""

from .printer import body, expression, statement

__all__ = ["body", "expression", "statement"]
