"""Constants and docstrings as source: ASCII, inert, and as ruff would write it."""

from __future__ import annotations

import inspect
import math


def literal(value: object) -> str:
    """Source of a constant: ASCII only, quotes and exponents as ruff writes them."""
    match value:
        case None | bool():
            return repr(value)
        case str():
            quote = "'" if value.count('"') > value.count("'") else '"'
            return quote + escaped(value, quote) + quote
        case int():
            return repr(value)
        case float() if math.isfinite(value):
            return repr(value).replace("e+", "e")
        case _ if value is ...:
            return "..."
        case _:
            raise ValueError(f"no literal for {value!r}")


def escaped(text: str, quote: str) -> str:
    """Escape what is not printable ASCII, backslashes and `quote`."""
    return "".join(
        "\\" + char
        if char in ("\\", quote)
        else char
        if " " <= char <= "~"
        else char.encode("unicode_escape", "surrogatepass").decode("ascii")
        for char in text
    )


def docstring(text: str, indent: int) -> list[str]:
    """Lines of a docstring, indented by `indent` spaces, that nothing in it can close.

    What `inspect.cleandoc` makes of the result is what it makes of `text`, apart from
    spaces at the ends of lines and of the whole.
    """
    lines = [line.rstrip() for line in inspect.cleandoc(text).strip().split("\n")]
    quoted = [_inert(line) for line in lines]
    quoted[0] = '"""' + ("\\" if quoted[0].startswith('"') else "") + quoted[0]
    margin = " " * indent
    if len(quoted) > 1:
        quoted.append('"""')
    else:
        open_end = quoted[0].endswith('"') and len(quoted[0]) > 3
        quoted[0] = (quoted[0][:-1] + '\\""' if open_end else quoted[0] + '"') + '""'
    return [(margin + line).rstrip() for line in quoted]


def _inert(line: str) -> str:
    line = escaped(line, "").replace('"""', '\\"\\"\\"')
    return line
