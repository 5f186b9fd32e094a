"""Syntax trees as text that `ruff format` leaves as it is, without needing ruff."""

from .layout import LINE_WIDTH
from .printer import render

__all__ = ["LINE_WIDTH", "render"]
