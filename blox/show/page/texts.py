"""Texts about the parts of a model: types, values, docs, each of them inert."""

from __future__ import annotations

from typing import Any

from blox.schema.expressions import INFINITE
from blox.schema.known import Known
from blox.schema.resolve.program import Arg
from blox.schema.start import Start
from blox.show.printable import printable

LONGEST = 2_000
"""Characters of one text of the file, such as a doc."""


def initial(init: Start) -> str:
    """`normal(stddev=0.02)`"""
    data = init.model_dump(mode="json")
    given = ", ".join(f"{k}={text_of(v)}" for k, v in data.items() if k != "name")
    return printable(f"{init.name}({given})" if given else str(init.name), LONGEST)


def literal(arg: Arg) -> str:
    """A number among the operands, and the expression that it comes from."""
    value = text_of(arg.value)
    if arg.text is None or arg.text in INFINITE:
        return value
    return f"{value} = {printable(arg.text, 80)}"


def type_of(known: Known) -> str:
    """`float32[batch, 8]`, `list of 4 float32[8]`; `?` for what differs between calls."""
    shape = known.shape
    sizes = "..."
    if shape is not None:
        sizes = ", ".join("?" if size is None else str(size) for size in shape)
    many = "" if known.copies is None else f"list of {known.copies} "
    return printable(f"{many}{known.dtype or '?'}[{sizes}]", LONGEST)


def text_of(value: Any) -> str:
    """A value of the file on one line."""
    if isinstance(value, (list, tuple)):
        return printable(f"[{', '.join(map(_nested, value))}]", LONGEST)
    if isinstance(value, dict):
        pairs = (f"{key}: {_nested(part)}" for key, part in value.items())
        return printable(", ".join(pairs), LONGEST)
    if value is None or isinstance(value, bool):
        return {None: "none", True: "true", False: "false"}[value]
    return printable(str(value), LONGEST)


def _nested(value: Any) -> str:
    """A value within another one: objects in braces."""
    text = text_of(value)
    return f"{{{text}}}" if isinstance(value, dict) else text


def lines(text: str) -> str:
    """A text of several lines, each of them inert."""
    shown = "\n".join(printable(line) for line in text[:LONGEST].split("\n"))
    return shown + " ..." if len(text) > LONGEST else shown
