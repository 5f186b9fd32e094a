"""The registry of diagnostic codes: severity, meaning, and an example of each.

A `Diagnostic` takes no other code. `docs/diagnostics.md` is made of this table, and
`tests/diagnostics/test_codes.py` makes every example yield its code.

An example is a node `n` of the function `main`, whose input is x, where it begins with
`{`; fields of the Graph, where it begins with `"`; else a call in words.
"""

from __future__ import annotations

from . import graph, meaning, models, sources
from .code import Code as Code

GROUPS = {**graph.GROUPS, **meaning.GROUPS, **models.GROUPS, **sources.GROUPS}
CODES = {code.name: code for group in GROUPS.values() for code in group}
