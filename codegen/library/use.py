"""What the calls of a function of the library give it, and what is left of it then."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Use:
    """One call of a carried function: the attributes given, the operands that are there."""

    attributes: Mapping[str, ast.expr]
    present: frozenset[str]
    maybe: frozenset[str] = frozenset()
    """Operands that are inputs which may not be there."""
    positional: frozenset[str] = frozenset()
    """The parameters that get operands, by position; others are given by name."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What is known of operands: `x.ndim`, `x.dtype`, `x.shape`."""
    numbers: frozenset[str] = frozenset()
    """Operands that are, or may be, numbers of Python."""


@dataclass(frozen=True)
class Cut:
    """A function as a file needs it, and the parameters that it no longer has."""

    function: ast.FunctionDef
    dropped: frozenset[str]
    defaults: Mapping[str, ast.expr]
    """What calls need not write, by parameter."""
    single: frozenset[str]
    """Parameters that get the one item of a list that has one at every use."""

    def argument(self, name: str, value: ast.expr) -> ast.expr:
        """What a call gives for the value of an attribute."""
        if name not in self.single:
            return value
        assert isinstance(value, ast.Tuple)
        return value.elts[0]
