"""Pictures in the language of Mermaid, which GitHub and notebooks draw."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from blox.show.diagram import Kind, Part

_BORDERS: dict[Kind, tuple[str, str]] = {
    "input": ("([", "])"),
    "op": ("[", "]"),
    "calls": ("[[", "]]"),
    "array": ("[(", ")]"),
    "output": ("([", "])"),
}
_SPECIAL = re.compile(r"[^A-Za-z0-9 _.,:()\[\]+=?$-]")
"""Whatever may mean something in Mermaid, in its Markdown or in HTML."""


def mermaid_text(parts: Iterable[Part]) -> str:
    """A flowchart with a subgraph for each function."""
    return "\n".join(["flowchart TD", *(line for p in parts for line in _lines(p))])


def _lines(part: Part) -> Iterator[str]:
    yield f"  subgraph {part.id}[{_quoted([part.title])}]"
    yield "    direction TB"
    for box in part.boxes:
        left, right = _BORDERS[box.kind]
        yield f"    {box.id}{left}{_quoted(box.lines)}{right}"
    for arrow in part.arrows:
        text = f"|{_quoted([arrow.text])}|" if arrow.text else ""
        yield f"    {arrow.source} -->{text} {arrow.target}"
    yield "  end"


def _quoted(lines: Iterable[str]) -> str:
    """Text alone: each special character as its number, which Mermaid shows."""
    shown = (_SPECIAL.sub(lambda m: f"#{ord(m[0])};", line) for line in lines)
    return f'"{"<br/>".join(shown)}"'
