"""Constants and docstrings as source: ASCII, inert, and as ruff would write it."""

from __future__ import annotations

import ast
import inspect
import keyword
import math
import re

from ...schema.inert import inert


def identifier(name: str) -> str:
    """The name itself.

    Raises:
        ValueError: not an ASCII identifier, or a keyword: it would be other code.
    """
    if name.isascii() and name.isidentifier() and not keyword.iskeyword(name):
        return name
    raise ValueError(f"{name!r} is no name that generated code can use")


def literal(value: object) -> str:
    """Source of a constant: ASCII only, quotes and exponents as ruff writes them.

    Raises:
        ValueError: inf, nan, or a value of another type.
    """
    match value:
        case None | bool():
            return repr(value)
        case str():
            quote = "'" if value.count('"') > value.count("'") else '"'
            return quote + inert(escaped(value, quote)) + quote
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
    quoted = [inert(_quoted(line)) for line in lines]
    quoted[0] = '"""' + quoted[0]
    if len(quoted) > 1:
        quoted.append('"""')
    else:
        quoted[0] += '"""'
    margin = " " * indent
    return [(margin + line).rstrip() for line in quoted]


def _quoted(line: str) -> str:
    """Escape a line of a docstring, quotes where three could meet."""
    parts = re.split(r'("{3,}|^"+|"+$)', line)
    quotes = iter(parts[1::2])
    docs = [escaped(part, "") + '\\"' * len(next(quotes, "")) for part in parts[::2]]
    return "".join(docs)


def f_string(node: ast.JoinedStr) -> str:
    """An f-string of our own sources, in double quotes where it holds none."""
    text = re.sub(r"(\b\w+)=\{\1!r\}", r"{\1=}", ast.unparse(node))
    if text.startswith("f'") and '"' not in text:
        text = 'f"' + text[2:-1] + '"'
    return text
