"""A tree of regions as a person would have written it."""

from __future__ import annotations

from . import backwards as backwards
from . import biases as biases
from . import masks as masks
from . import rewrites as rewrites
from .closing import close
from .joined import Joined, join
from .names import hint_all, name_nodes
from .order import absorb, order
from .outline import outline
from .regions import tidy, unwrap
from .simplify import merge, simplify
from .state import put_last
from .trace import Path, Region, Value


def readable(root: Region, outputs: dict[str, Value]) -> dict[Path, Joined]:
    """Repeats in place of copies, names, and the order in which one reads.

    Args:
        root: whose inputs and scope are known.
        outputs: what it gives, by name.

    Returns:
        The arrays that are several of the source, by path.
    """
    root.outputs = outputs
    parts = join(root)
    simplify(root)
    tidy(root)
    absorb(root)
    unwrap(root)
    hint_all(root)
    outline(root)
    merge(root)
    hint_all(root)
    close(root)
    order(root)
    put_last(root)
    name_nodes(root)
    return parts
