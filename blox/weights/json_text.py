"""Strict, bounded JSON of weight files: headers, indexes, logs."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any, NoReturn

from blox.schema.diagnostics import quote

from .files import refuse, shown

MAX_ITEMS = 4_000_000
"""Commas and opening brackets of one text; a tensor takes 7 and one for each axis."""
_MAX_INT = 2**63 - 1


def bad_file(path: Path, message: str) -> NoReturn:
    """Refuse a file that no sound writer wrote."""
    refuse("weights-header", shown(path), message, "the file is damaged or not ours")


def strict_json(text: bytes, path: Path, *, floats: bool = False) -> dict[str, Any]:
    """`text` as a JSON object, without what JSON parsers disagree on.

    Raises:
        WeightsError: not UTF-8, not an object, duplicate keys, NaN, infinity, an
            integer beyond 64 bits, deep nesting, more than MAX_ITEMS items, or a float
            where `floats` is False.
    """

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(items)
        if len(found) != len(items):
            counts = Counter(key for key, _ in items)
            twice = counts.most_common(1)[0][0]
            bad_file(path, f"expected every key once, found {quote(twice)} twice")
        return found

    def integer(digits: str) -> int:
        if len(digits) > 20 or not -_MAX_INT <= int(digits) <= _MAX_INT:
            bad_file(path, f"expected 64-bit integers, found {quote(digits, 30)}")
        return int(digits)

    def number(digits: str) -> float:
        value = float(digits) if len(digits) <= 40 else float("inf")
        if not floats or value in (float("inf"), float("-inf")):
            bad_file(path, f"expected an integer, found {quote(digits, 30)}")
        return value

    def constant(name: str) -> NoReturn:
        bad_file(path, f"expected a number, found {name}")

    # Before it is parsed: a list of empty objects takes 30 times its text in memory.
    if count_items(text) > MAX_ITEMS:
        bad_file(path, f"expected at most {MAX_ITEMS} items, found more")
    try:
        value = json.loads(
            text.decode("utf-8"),
            object_pairs_hook=pairs,
            parse_int=integer,
            parse_float=number,
            parse_constant=constant,
        )
    except UnicodeDecodeError as error:
        bad_file(path, f"expected UTF-8, found another byte at {error.start}")
    except RecursionError:
        bad_file(path, "expected a flat JSON object, found deep nesting")
    except json.JSONDecodeError as error:
        bad_file(path, f"expected JSON: {error.msg} at {error.pos}")
    if not isinstance(value, dict):
        bad_file(path, f"expected a JSON object, found {type(value).__name__}")
    return value


def count_items(text: bytes) -> int:
    """Commas and opening brackets, outside of texts where there are many."""
    items = _punctuation(text)
    if items <= MAX_ITEMS:
        return items
    texts = re.finditer(rb'"[^"\\]*(?:\\.[^"\\]*)*"', text, flags=re.DOTALL)
    return items - sum(_punctuation(found[0]) for found in texts)


def _punctuation(text: bytes) -> int:
    return text.count(b",") + text.count(b"[") + text.count(b"{")
