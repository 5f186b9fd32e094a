"""Where a fault lies: in a JSON text, and as a graph path."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from ..diagnostics import path_part

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)
_INTEGER = re.compile(r"-?[0-9]+")

FAULTS = {"file-duplicate-key", "file-number", "file-integer"}
"""The codes of faults that have a place."""
Place = tuple[str | int, ...]
"""Keys of objects and indices of lists, from the outside."""


def find_fault(data: bytes, code: str) -> tuple[Place, str] | None:
    """The place of the first fault of a kind and what stands there, None without one.

    Args:
        data: well-formed JSON up to that place. It is read once, from left to right.
        code: one of FAULTS: a key that its object has already, a number that is not
            finite, an integer beyond 64 bits.
    """
    place: list[str | int] = []
    keys: list[set[str] | None] = []  # of every object so far; None for a list
    is_key = False
    for token in (match[0] for match in _TOKEN.finditer(data.decode())):
        if token in "{[":
            keys.append(set() if token == "{" else None)
            place.append("" if token == "{" else 0)
            is_key = token == "{"
        elif token in "}]":
            keys.pop()
            place.pop()
        elif token == ",":
            known = keys[-1]
            is_key = known is not None
            if known is None:
                place[-1] = int(place[-1]) + 1
        elif token == ":":
            is_key = False
        elif is_key:
            known = keys[-1]
            assert known is not None
            place[-1] = name = str(json.loads(token))
            if name in known and code == "file-duplicate-key":
                return tuple(place), name
            known.add(name)
        elif token[0] != '"' and _is_bad(token, code):
            return tuple(place), token
    return None


def find_number(value: Any, code: str) -> tuple[Place, str] | None:
    """The same in plain data, of numbers alone: an object of it has each key once."""
    todo: list[tuple[Place, Any]] = [((), value)]
    while todo:
        place, part = todo.pop()
        if isinstance(part, (dict, list)):
            items = part.items() if isinstance(part, dict) else enumerate(part)
            todo += [((*place, key), inner) for key, inner in reversed([*items])]
        elif type(part) in (int, float) and _is_bad(token := json.dumps(part), code):
            return place, token
    return None


def _is_bad(token: str, code: str) -> bool:
    if _INTEGER.fullmatch(token):
        return code == "file-integer" and (
            len(token) > 20 or not -(2**63) <= int(token) < 2**63
        )
    if code != "file-number" or token in ("true", "false", "null"):
        return False
    return not math.isfinite(float(token))


def graph_path(loc: Place) -> str:
    """The graph path of a place in plain data."""
    parts = list(loc)
    if parts and parts[-1] == "[key]":
        parts.pop()
    if len(parts) > 1 and parts[0] == "functions":
        parts = parts[1:]
        if len(parts) > 2 and parts[1] == "nodes":
            del parts[1]
    return ".".join(path_part(str(p)) for p in parts)
