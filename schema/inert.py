"""Lines of text that the log of a CI would take for commands, made inert."""

from __future__ import annotations

import re

# GitHub: `::name::` at the start of a line, `##[name]` anywhere; Azure: `##vso[name]`.
_COMMAND = re.compile(r"^(\s*):(?=:)|#(?=#(?:vso)?\[)")


def inert(line: str) -> str:
    """`line` with the first character of every command spelled out, as Python does."""
    return _COMMAND.sub(
        lambda found: "\\x23" if found[1] is None else f"{found[1]}\\x3a", line
    )
