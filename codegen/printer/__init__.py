"""Syntax trees as text that `ruff format` leaves as it is, without needing ruff."""

from .layout import LINE_WIDTH
from .printer import render
from .remarks import Remarks, remarks, set_remarks

__all__ = ["LINE_WIDTH", "Remarks", "remarks", "render", "set_remarks"]
