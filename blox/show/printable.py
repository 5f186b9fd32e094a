"""Text of an untrusted file, fit for a terminal, a CI log or one line of a message."""

from __future__ import annotations


def printable(text: str, limit: int = 0) -> str:
    """`text` on one line, with all that a terminal would obey spelled out.

    Control codes (escape sequences, newlines, bells), marks that turn the direction of
    the text and lone surrogates become what Python writes for them: `\\x1b`, `\\n`,
    `\\u202e`. A `limit` above 0 is the greatest length; what is longer ends in `...`.
    """
    if limit and len(text) > limit:
        return printable(text[: limit - 3], limit - 3) + "..."
    if text.isprintable():
        return text
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return shown[:limit] if limit else shown
