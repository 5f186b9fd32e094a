"""A tree of lines as a table of HTML, in which every text is only text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

FIRST_NUMBER = 3
"""The columns from here on stand to the right."""

_STYLE = (
    "font-family:monospace;border-collapse:collapse;white-space:nowrap;"
    "font-size:90%;text-align:left"
)


def table(
    heading: Sequence[str],
    head: Sequence[str],
    lines: Sequence[tuple[int, Sequence[str]]],
    ending: Sequence[str],
) -> str:
    """A table with lines of text above and below it.

    Args:
        heading: the first is the strongest.
        head: the names of the columns.
        lines: (depth, texts) of every line.
        ending: what stands below.
    """
    first, *others = heading
    return "\n".join(
        [
            f"<div><strong>{escape(first)}</strong></div>",
            *(f"<div>{escape(text)}</div>" for text in others),
            f'<table style="{_STYLE}">',
            f"<thead><tr>{''.join(_cells('th', head, 0))}</tr></thead>",
            "<tbody>",
            *(f"<tr>{''.join(_cells('td', texts, at))}</tr>" for at, texts in lines),
            "</tbody>",
            "</table>",
            *(f"<div>{escape(text)}</div>" for text in ending),
        ]
    )


def _cells(tag: str, texts: Sequence[str], depth: int) -> Iterator[str]:
    for i, text in enumerate(texts):
        side = "right" if i >= FIRST_NUMBER else "left"
        inset = 0.6 + 1.5 * depth if i == 0 else 0.6
        style = f"text-align:{side};padding:0 .6em 0 {inset:g}em"
        yield f'<{tag} style="{style}">{escape(text)}</{tag}>'
