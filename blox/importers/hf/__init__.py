"""Checkpoints of transformers: read as a Graph and Params, and written back.

`families` has a module for each, `family` says what one is, `parts` what they share;
`importing` and `exporting` put it together. `blox.mapping` moves the arrays.
"""

from .exporting import to_hf
from .importing import from_hf

__all__ = ["from_hf", "to_hf"]
