"""Names of the source as names of a Graph."""

from __future__ import annotations

from blox.schema.names import RESERVED, name_of

from .regions import identifier


def argument_name(text: str) -> str:
    """A text as the name of an input: those that hide something of Python or of generated
    files get another ending."""
    name = name_of(identifier(text))
    return f"{name}_in" if name in RESERVED else name
