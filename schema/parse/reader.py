"""One strict reader for JSON and msgpack: plain data or a one-line SpecError."""

from __future__ import annotations

import codecs
import json
import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from ..diagnostics import Diagnostic, SpecError, quote
from ..pause import uncollected
from .locate import FAULTS, Place, find_fault, find_number, graph_path

MAX_BYTES = 16 * 2**20
"""Bytes of a file."""
MAX_DEPTH = 24
"""Objects and lists within each other."""
MAX_ITEMS = 250_000
"""Values and keys of the whole document."""
MAX_TEXT = 65_536
"""Characters of one text."""
INT64 = 2**63
_TEXTS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)


def read_plain(data: bytes) -> Any:
    """The plain data of a JSON or msgpack document, distinguished by its first byte.

    Raises:
        SpecError: malformed text, duplicate keys, NaN or infinity, integers beyond 64
            bits, or more depth, items, text or bytes than any model needs.
    """
    if len(data) > MAX_BYTES:
        raise _refused(
            "file-size", f"expected at most {MAX_BYTES} bytes, found {len(data)}"
        )
    value: Any = None
    is_map = data[:1] and (0x80 <= data[0] <= 0x8F or data[0] in (0xDE, 0xDF))
    try:
        with uncollected():
            value = _read_msgpack(data) if is_map else _read_json(data)
            _check(value)
    except RecursionError:
        raise _too_deep() from None
    except SpecError as error:
        (fault,) = error.diagnostics
        if fault.code not in FAULTS:
            raise
        find = partial(find_number, value) if is_map else partial(find_fault, data)
        raise _placed(fault, find(fault.code)) from None
    return value


def _placed(fault: Diagnostic, found: tuple[Place, str] | None) -> SpecError:
    """The error of a fault with its path, where it has one."""
    if found is None or len(found[0]) > MAX_DEPTH:
        return SpecError([fault])
    place, text = found
    message, _, _ = fault.message.partition(", found ")
    text = text if len(text) <= 20 else f"{len(text)} digits"
    if fault.code == "file-duplicate-key":
        text = quote(place[-1])
    return SpecError(
        replace(fault, path=graph_path(place), message=f"{message}, found {text}")
    )


def _too_deep() -> SpecError:
    return _refused("file-depth", f"expected at most {MAX_DEPTH} levels, found more")


def _too_many() -> SpecError:
    return _refused("file-count", f"expected at most {MAX_ITEMS} items, found more")


def _refused(code: str, message: str, hint: str = "") -> SpecError:
    return SpecError.one(code, "", message, hint)


def _pairs(pairs: Iterable[tuple[Any, Any]]) -> dict[str, Any]:
    pairs = list(pairs)
    result = dict(pairs)
    if len(result) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        key = next(key for key, count in counts.items() if count > 1)
        raise _refused(
            "file-duplicate-key", f"expected each key once, found {quote(key)}"
        )
    return result


def _integer(text: str) -> int:
    if len(text) > 20:
        raise _refused(
            "file-integer", f"expected a 64-bit integer, found {len(text)} digits"
        )
    return int(text)


def _constant(text: str) -> float:
    raise _refused("file-number", f"expected a finite number, found {text}")


def _read_json(data: bytes) -> Any:
    # Counted in the bytes: a list of empty lists takes 20 times its text in memory.
    if (
        _punctuation(data) > MAX_ITEMS
        and _punctuation(_TEXTS.sub(b"", data)) > MAX_ITEMS
    ):
        raise _too_many()
    if not data.strip():
        raise _refused("file-syntax", "expected JSON, found an empty file")
    try:
        return json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_pairs,
            parse_int=_integer,
            parse_constant=_constant,
        )
    except UnicodeDecodeError as error:
        raise _refused(
            "file-encoding", f"expected UTF-8, found byte {error.start}"
        ) from None
    except json.JSONDecodeError as error:
        if data.startswith(codecs.BOM_UTF8):
            hint = "save it as UTF-8 without one"
            raise _refused(
                "file-syntax", "expected JSON, found a byte order mark", hint
            ) from None
        where = f"line {error.lineno}, column {error.colno}"
        raise _refused(
            "file-syntax",
            f"expected JSON, found an error at {where}",
            _syntax_hint(error),
        ) from None


def _syntax_hint(error: json.JSONDecodeError) -> str:
    """What to do about the mistakes that people make most."""
    text, at = error.doc, error.pos
    here = text[at : at + 1]
    after = text[at + 1 : at + 1000].lstrip()[:1] if here == "," else here
    before = here if here == "," else text[max(at - 1000, 0) : at].rstrip()[-1:]
    if not text[at : at + 1000].strip():
        return "the file ends too early"
    if before == "," and after in ("}", "]"):
        return "take away the comma before the bracket"
    if here == "'":
        return "write texts in double quotes"
    if here in ("/", "#"):
        return "JSON has no comments: take it away"
    return "write a comma before it" if error.msg.startswith("Expecting ','") else ""


def _punctuation(data: bytes) -> int:
    return data.count(b",") + data.count(b"[") + data.count(b"{")


def _read_msgpack(data: bytes) -> Any:
    import msgpack

    _check_lengths(data)
    try:
        return msgpack.unpackb(data, object_pairs_hook=_pairs, strict_map_key=True)
    except SpecError:
        raise
    except (ValueError, msgpack.exceptions.UnpackException) as error:
        kind = type(error).__name__
        raise _refused(
            "file-syntax", f"expected msgpack, found an error ({kind})"
        ) from None


# Bytes after the first one, of numbers by their type; of what has a length, of that.
_FIXED = {0xC0: 0, 0xC2: 0, 0xC3: 0, 0xCA: 4, 0xCB: 8} | {
    first + i: 1 << i for first in (0xCC, 0xD0) for i in range(4)
}
_TEXT = {0xD9: 1, 0xDA: 2, 0xDB: 4}
_LIST = {0xDC: 2, 0xDD: 4}
_MAP = {0xDE: 2, 0xDF: 4}


def _check_lengths(data: bytes) -> None:
    """What msgpack data claims to hold, before msgpack makes room for all of it."""
    at, items, left = 0, 0, [1]
    while left:
        if left[-1] == 0:
            left.pop()
            continue
        left[-1] -= 1
        if at >= len(data):
            raise _refused(
                "file-syntax", "expected msgpack, found that it ends too early"
            )
        first, count = data[at], 0
        at += 1
        if first < 0x80 or first >= 0xE0:
            continue
        if first in _FIXED:
            at += _FIXED[first]
        elif 0xA0 <= first < 0xC0:
            at += first - 0xA0
        elif first in _TEXT:
            size = _TEXT[first]
            at += size + int.from_bytes(data[at : at + size], "big")
        elif first in _LIST or first in _MAP or first < 0xA0:
            if first < 0xA0:
                count = (first & 15) * (2 if first < 0x90 else 1)
            else:
                size = _LIST.get(first) or _MAP[first]
                count = int.from_bytes(data[at : at + size], "big")
                count *= 2 if first in _MAP else 1
                at += size
            items += count
            if items > MAX_ITEMS:
                raise _too_many()
            left.append(count)
            if len(left) > MAX_DEPTH + 1:
                raise _too_deep()
        else:
            raise _refused(
                "file-type", f"expected plain data, found msgpack type {first}"
            )


def _check(value: Any) -> None:
    """Bounds of depth, counts, texts and numbers, over the whole document."""
    items, level, depth = 0, [value], 0
    while level:
        depth += 1
        inner: list[Any] = []
        for part in level:
            match part:
                case dict() | list() if depth > MAX_DEPTH:
                    raise _too_deep()
                case dict():
                    items += 2 * len(part)
                    inner += part.keys()
                    inner += part.values()
                case list():
                    items += len(part)
                    inner += part
                case str():
                    _check_text(part)
                case float():
                    if not math.isfinite(part):
                        raise _refused("file-number", "expected a finite number")
                case int():
                    if not -INT64 <= part < INT64:
                        raise _refused("file-integer", "expected a 64-bit integer")
                case None:
                    pass
                case _:
                    raise _refused(
                        "file-type", f"expected plain data, found {quote(part)}"
                    )
        if items > MAX_ITEMS:
            raise _too_many()
        level = inner


def _check_text(text: str) -> None:
    if len(text) > MAX_TEXT:
        raise _refused("file-text", f"expected at most {MAX_TEXT} characters in a text")
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise _refused(
                "file-encoding", "expected text, found a lone surrogate"
            ) from None
