"""Checkpoints of transformers: read as a Graph and Params, and written back.

`bert` holds the family as data: the Graph and the table of names. `config` reads and
writes `config.json`, `sentence` the modules of sentence-transformers, `importing`
and `exporting` put it together. `blox.mapping` moves the arrays.
"""

from .exporting import to_hf
from .importing import from_hf

__all__ = ["from_hf", "to_hf"]
