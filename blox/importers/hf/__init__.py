"""Checkpoints of transformers: read as a Graph and Params, and written back.

`bert` holds the family as data: the Graph and the table of names. `config` reads and
writes `config.json`, `sentence` the modules of sentence-transformers, `names` moves
arrays between the two layouts, `importing` and `exporting` put it together.
"""

from .exporting import to_hf
from .importing import from_hf

__all__ = ["from_hf", "to_hf"]
