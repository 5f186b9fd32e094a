"""Docstrings as Markdown."""

from __future__ import annotations

import re

_SPAN = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)")


def prose(doc: str) -> str:
    """A docstring as Markdown: a paragraph a line, all but its inline code escaped."""
    joined = (" ".join(p.split()) for p in doc.split("\n\n") if p.strip())
    return "".join(f"{_escaped(p)}\n\n" for p in joined).removesuffix("\n")


def _escaped(paragraph: str) -> str:
    result, at = "", 0
    for span in _SPAN.finditer(paragraph):
        result += _plain(paragraph[at : span.start()]) + span[0]
        at = span.end()
    result += _plain(paragraph[at:])
    return re.sub(r"^([-+>#=]|\d+(?=[.)]))", r"\\\1", result)


def _plain(words: str) -> str:
    """Text without meaning for Markdown; `_` inside of a word has none anyway."""
    words = re.sub(r"[\\`*\[\]<~&|]", r"\\\g<0>", words)
    return re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", words)
