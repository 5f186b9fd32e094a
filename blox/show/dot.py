"""Pictures in the language of Graphviz."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from blox.show.diagram import Kind, Part

_LOOKS: dict[Kind, str] = {
    "input": "shape=box, style=rounded",
    "op": "shape=box",
    "calls": "shape=box, peripheries=2",
    "array": "shape=cylinder",
    "output": "shape=box, style=rounded",
}
_ESCAPED = str.maketrans({"\\": "\\\\", '"': '\\"', "&": "&amp;"})
"""A backslash says more than a letter, and `&lt;` is read as in HTML."""


def dot_text(parts: Iterable[Part]) -> str:
    """A digraph with a cluster for each function."""
    lines = [
        "digraph {",
        '  graph [fontname="Helvetica"]',
        '  node [fontname="Helvetica", fontsize=10]',
        '  edge [fontname="Helvetica", fontsize=9]',
        *(line for part in parts for line in _lines(part)),
        "}",
    ]
    return "\n".join(lines)


def _lines(part: Part) -> Iterator[str]:
    yield f"  subgraph cluster_{part.id} {{"
    yield f"    label={_quoted([part.title])}"
    for box in part.boxes:
        yield f"    {box.id} [label={_quoted(box.lines)}, {_LOOKS[box.kind]}]"
    for arrow in part.arrows:
        text = f" [label={_quoted([arrow.text])}]" if arrow.text else ""
        yield f"    {arrow.source} -> {arrow.target}{text}"
    yield "  }"


def _quoted(lines: Iterable[str]) -> str:
    return '"' + "\\n".join(line.translate(_ESCAPED) for line in lines) + '"'
